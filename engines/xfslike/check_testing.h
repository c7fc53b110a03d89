// A small file system with one of everything, for tests that damage it: directories of every form, hard links, symlinks inline and remote,
// files with few and with many extents, orphans, owners. And the means to damage it with right checksums.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engines/base/crc32c.h"
#include "engines/base/random.h"
#include "engines/xfslike/check.h"
#include "engines/xfslike/directory_index.h"
#include "engines/xfslike/dquot_disk.h"
#include "engines/xfslike/inode_block_space.h"
#include "engines/xfslike/inode_disk.h"
#include "engines/xfslike/metadata_testing.h"
#include "engines/xfslike/symlink_format.h"

namespace daxlab::xfslike::testing {

class TransactionHome final : public DirectoryHome {
 public:
  TransactionHome(Inode& inode, Transaction& transaction)
      : inode_(inode), transaction_(transaction), space_(inode, &transaction, Magic::kDirectory, inode.volume().superblock.dirblock_bytes) {}
  uint64_t ino() const override { return inode_.ino(); }
  BlockSpace& blocks() override { return space_; }
  bool is_short() const override { return inode_.fork_format() == ForkFormat::kLocal; }
  std::span<const std::byte> short_form() const override { return inode_.local(); }
  uint32_t short_form_bytes_max() const override { return kForkBytes; }
  void set_short_form(std::span<const std::byte> bytes) override {
    if (!is_short()) inode_.start_fork(ForkFormat::kLocal);
    inode_.set_local(bytes);
    transaction_.log(inode_, kInodeCore | kInodeFork | kInodeData);
  }
  void leave_short_form() override {
    inode_.make_extents();
    transaction_.log(inode_, kInodeCore | kInodeFork | kInodeData);
  }
  uint64_t size_bytes() const override { return inode_.core.size_bytes; }
  void set_size_bytes(uint64_t size_bytes) override {
    inode_.core.size_bytes = size_bytes;
    transaction_.log(inode_, kInodeCore | kInodeData);
  }

 private:
  Inode& inode_;
  Transaction& transaction_;
  InodeBlockSpace space_;
};

/// What the tests do to a volume. One thread.
class Builder {
 public:
  explicit Builder(TestVolume& test) : test_(test) {
    change(root(), [&](Inode& inode, Transaction& transaction) {
      TransactionHome home(inode, transaction);
      DirectoryIndex(home).make_empty(root());
    });
  }
  uint64_t root() { return test_->superblock.root_ino; }

  /// A new inode under a name; directories and symlinks are filled in.
  uint64_t make(uint64_t parent, const std::string& name, NodeKind kind, uint32_t owner = 0, const std::string& target = {}) {
    Inode* const inode = test_.create_file(kind, owner, owner);
    const uint64_t ino = inode->ino();
    EXPECT_FALSE(test_->inodes.put(inode));
    if (kind == NodeKind::kDirectory) {
      change(ino, [&](Inode& made, Transaction& transaction) {
        TransactionHome home(made, transaction);
        DirectoryIndex(home).make_empty(parent);
        made.core.links = 2;
        transaction.log(made, kInodeCore);
      });
      change(parent, [](Inode& above, Transaction& transaction) {
        ++above.core.links;
        transaction.log(above, kInodeCore);
      });
    }
    if (kind == NodeKind::kSymlink) set_target(ino, target);
    name_it(parent, name, ino, kind);
    return ino;
  }
  void link(uint64_t parent, const std::string& name, uint64_t ino) {
    change(ino, [](Inode& inode, Transaction& transaction) {
      ++inode.core.links;
      transaction.log(inode, kInodeCore);
    });
    name_it(parent, name, ino, NodeKind::kFile);
  }
  void erase(uint64_t parent, const std::string& name) {
    change(parent, [&](Inode& inode, Transaction& transaction) {
      TransactionHome home(inode, transaction);
      EXPECT_TRUE(DirectoryIndex(home).erase(name).ok());
    });
  }
  /// Its name is gone, it is not: someone has it open.
  void orphan(uint64_t parent, const std::string& name, uint64_t ino) {
    erase(parent, name);
    change(ino, [](Inode& inode, Transaction& transaction) {
      inode.core.links = 0;
      transaction.log(inode, kInodeCore);
      add_orphan(transaction, inode);
    });
  }
  void fill(uint64_t ino, uint64_t offset, uint64_t count) {
    Inode* const inode = TestVolume::must(test_->inodes.get(ino));
    test_.allocate(*inode, offset, count);
    put(inode);
  }

 private:
  void put(Inode* inode) {
    if (test_->inodes.put(inode)) test_->inodes.gone(inode);
  }
  template <typename Change>
  void change(uint64_t ino, Change change) {
    Inode* const inode = TestVolume::must(test_->inodes.get(ino));
    {
      const auto transaction = test_.begin(reservation::names(*test_, 8, 2));
      const WriterLock lock(inode->ilock);
      transaction->join(*inode);
      change(*inode, *transaction);
      transaction->commit();
    }
    put(inode);
  }
  void name_it(uint64_t parent, const std::string& name, uint64_t ino, NodeKind kind) {
    change(parent, [&](Inode& inode, Transaction& transaction) {
      TransactionHome home(inode, transaction);
      const auto inserted = DirectoryIndex(home).insert(name, {ino, kind});
      EXPECT_TRUE(inserted.ok());
    });
  }
  void set_target(uint64_t ino, const std::string& target) {
    Inode* const inode = TestVolume::must(test_->inodes.get(ino));
    {
      const auto transaction = test_.begin(reservation::create(*test_, 0, symlink_blocks(target.size(), kBlockBytes)));
      const WriterLock lock(inode->ilock);
      transaction->join(*inode);
      if (target.size() <= kForkBytes) {
        inode->set_local(std::as_bytes(std::span(target)));
      } else {
        inode->make_extents();
        InodeBlockSpace space(*inode, transaction.get(), Magic::kSymlink, kBlockBytes);
        EXPECT_TRUE(write_symlink(space, target).ok());
      }
      inode->core.size_bytes = target.size();
      transaction->log(*inode, kInodeCore | kInodeFork | kInodeData);
      transaction->commit();
    }
    put(inode);
  }

  TestVolume& test_;
};

/// Where metadata lies on the medium of a volume that nobody has mounted.
struct MediumMap {
  std::vector<std::vector<uint64_t>> objects;  ///< With a header; the blocks of each, first to last.
  std::vector<std::vector<uint64_t>> directory_blocks;  ///< ... those of directories.
  std::vector<uint64_t> inodes;                ///< In use.
  std::vector<uint64_t> files;                 ///< ... with a name and inline extents.
  std::vector<std::pair<uint64_t, uint32_t>> dquots;    ///< Block and id.

  static MediumMap of(pmem::Region& region) {
    MediumMap map;
    Volume volume(region, read_superblock(region).value(), {});
    EXPECT_TRUE(load_groups(volume).ok());
    for (const auto& group : volume.groups) {
      map.objects.push_back({group->space_block->name().first_block()});
      map.objects.push_back({group->inodes_block->name().first_block()});
      for (const Buffer* bits : group->bitmap) map.objects.push_back({bits->name().first_block()});
      for (const Buffer* index : group->index) map.objects.push_back({index->name().first_block()});
    }
    each_inode(volume, [&](uint64_t ino) { map.add(volume, ino); });
    return map;
  }

 private:
  void add(Volume& volume, uint64_t ino) {
    inodes.push_back(ino);
    Inode* const inode = TestVolume::must(volume.inodes.get(ino));
    {
      const WriterLock lock(inode->ilock);
      EXPECT_TRUE(load_extents(*inode).ok());
      EXPECT_TRUE(each_tree_block(*inode, [&](uint64_t block) {
                    objects.push_back({block});
                    return true;
                  }).ok());
      const bool metadata = inode->kind() == NodeKind::kDirectory || inode->kind() == NodeKind::kSymlink;
      const uint32_t per_object = inode->kind() == NodeKind::kDirectory ? volume.dirblock_blocks() : 1;
      std::vector<uint64_t> blocks;
      for (const Extent& extent : inode->extents.all()) {
        for (uint64_t i = 0; i < extent.count; ++i) {
          blocks.push_back(extent.block + i);
          if (volume.is_quota_inode(ino)) add_dquots(extent, i);
          if (!metadata || blocks.size() < per_object) continue;
          objects.push_back(blocks);
          if (inode->kind() == NodeKind::kDirectory) directory_blocks.push_back(blocks);
          blocks.clear();
        }
      }
      const bool named = inode->core.links != 0 && !volume.is_quota_inode(ino);
      const bool inline_extents = inode->kind() == NodeKind::kFile && inode->fork_format() == ForkFormat::kExtents;
      if (named && inline_extents && !inode->extents.empty()) files.push_back(ino);
    }
    if (volume.inodes.put(inode)) volume.inodes.gone(inode);
  }
  void add_dquots(const Extent& extent, uint64_t i) {
    for (uint32_t slot = 0; slot < kDquotsPerBlock; ++slot) {
      dquots.emplace_back(extent.block + i, static_cast<uint32_t>((extent.offset + i) * kDquotsPerBlock + slot));
    }
  }
};

/// The bytes of a medium, changed behind everyone's back and put back again.
class Vandal {
 public:
  explicit Vandal(pmem::Region& region) : region_(region) {}
  void restore() {
    for (const auto& [block, bytes] : pristine_) std::memcpy(region_.block_address(block), bytes.data(), kBlockBytes);
    pristine_.clear();
  }

  std::byte* at(uint64_t block) {
    std::byte* const address = region_.block_address(block);
    pristine_.try_emplace(block, address, address + kBlockBytes);
    return address;
  }
  /// change(bytes) of the whole object, whose checksum is then right again.
  template <typename Change>
  void object(const std::vector<uint64_t>& blocks, Change change) {
    std::vector<std::byte> bytes(blocks.size() * kBlockBytes);
    for (size_t i = 0; i < blocks.size(); ++i) std::memcpy(bytes.data() + i * kBlockBytes, at(blocks[i]), kBlockBytes);
    change(bytes);
    auto* const header = reinterpret_cast<MetaHeaderDisk*>(bytes.data());
    header->crc = 0;
    header->crc = crc32c(bytes.data(), bytes.size());
    for (size_t i = 0; i < blocks.size(); ++i) std::memcpy(at(blocks[i]), bytes.data() + i * kBlockBytes, kBlockBytes);
  }
  template <typename Change>
  void inode(uint64_t ino, Change change) {
    auto* const disk = reinterpret_cast<InodeDisk*>(at(inode_block(ino)) + inode_offset(ino));
    change(*disk);
    disk->core.crc = inode_crc(*disk);
  }
  template <typename Change>
  void dquot(const std::pair<uint64_t, uint32_t>& place, Change change) {
    auto* const disk = reinterpret_cast<DquotDisk*>(at(place.first) + dquot_offset(place.second));
    change(*disk);
    disk->crc = dquot_crc(*disk);
  }

 private:
  pmem::Region& region_;
  std::map<uint64_t, std::vector<std::byte>> pristine_;  // of blocks that were touched
};

}  // namespace daxlab::xfslike::testing
