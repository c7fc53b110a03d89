// The check's steps over directories, links and usage: what inodes say of each other.

#include <algorithm>

#include "engines/base/mutex.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/bmap.h"
#include "engines/xfslike/check_steps.h"
#include "engines/xfslike/directory_index.h"
#include "engines/xfslike/dquot_disk.h"
#include "engines/xfslike/inode_block_space.h"

namespace daxlab::xfslike {

namespace {

/// A directory that is only read.
class ReadOnlyHome final : public DirectoryHome {
 public:
  ReadOnlyHome(Inode& inode, uint32_t block_bytes) : inode_(inode), blocks_(inode, nullptr, Magic::kDirectory, block_bytes) {}
  uint64_t ino() const override { return inode_.ino(); }
  BlockSpace& blocks() override { return blocks_; }
  bool is_short() const override { return inode_.fork_format() == ForkFormat::kLocal; }
  std::span<const std::byte> short_form() const override { return inode_.local(); }
  uint32_t short_form_bytes_max() const override { return kForkBytes; }
  void set_short_form(std::span<const std::byte>) override { DAXLAB_CHECK(false); }
  void leave_short_form() override { DAXLAB_CHECK(false); }
  uint64_t size_bytes() const override { return inode_.core.size_bytes; }
  void set_size_bytes(uint64_t) override { DAXLAB_CHECK(false); }

 private:
  Inode& inode_;
  InodeBlockSpace blocks_;
};

}  // namespace

void CheckSteps::entry(uint64_t directory, const DirectoryEntry& entry, std::vector<std::pair<uint64_t, uint64_t>>& next) {
  const auto found = known_.find(entry.ino);
  if (found == known_.end()) {
    find("links", "directory {}: an entry leads to inode {}, which is not in use", directory, entry.ino);
    return;
  }
  Known& known = found->second;
  ++known.names;
  if (known.kind != entry.kind) find("directory", "directory {}: the kind of inode {} is another one", directory, entry.ino);
  if (volume_.is_quota_inode(entry.ino)) find("links", "directory {} names a quota file", directory);
  if (known.kind != NodeKind::kDirectory) return;
  ++known_[directory].directories;
  if (known.names == 1 && entry.ino != volume_.superblock.root_ino) next.emplace_back(entry.ino, directory);
}

void CheckSteps::directory(uint64_t ino, uint64_t parent, std::vector<std::pair<uint64_t, uint64_t>>& next) {
  known_[ino].reached = true;
  const auto got = volume_.inodes.get(ino);
  if (!got.ok()) return;  // has been found
  Inode* const inode = *got;
  {
    const WriterLock lock(inode->ilock);
    ReadOnlyHome home(*inode, volume_.superblock.dirblock_bytes);
    const DirectoryIndex index(home);
    (void)index.verify([&](std::string_view finding) {
      find("directory", "directory {}: {}", ino, finding);
      return true;
    });
    const auto says = index.parent();
    if (!says.ok()) {
      find("directory", "directory {}: {}", ino, says.error().message());
    } else if (*says != parent) {
      find("directory", "directory {} says that its parent is {}, it is {}", ino, *says, parent);
    }
    const auto listed = index.list(0, [&](const DirectoryEntry& at) {
      entry(ino, at, next);
      return true;
    });
    if (!listed.ok()) find("directory", "directory {}: {}", ino, listed.error().message());
  }
  if (volume_.inodes.put(inode)) volume_.inodes.gone(inode);
}

void CheckSteps::names() {
  const uint64_t root = volume_.superblock.root_ino;
  const auto at_root = known_.find(root);
  if (at_root == known_.end() || at_root->second.kind != NodeKind::kDirectory) {
    find("inode", "the root, inode {}, is no directory", root);
    return;
  }
  std::vector<std::pair<uint64_t, uint64_t>> next{{root, root}};
  while (!next.empty()) {
    const auto [ino, parent] = next.back();
    next.pop_back();
    directory(ino, parent, next);
  }
  for (const auto& [ino, known] : known_) {
    if (volume_.is_quota_inode(ino)) continue;
    const bool is_directory = known.kind == NodeKind::kDirectory;
    if (known.links == 0) {
      if (known.names != 0) find("links", "inode {} has {} names and no link", ino, known.names);
      continue;
    }
    if (is_directory && !known.reached) {
      find("leaked", "directory {} is not reached from the root", ino);
    } else if (is_directory) {
      if (known.links != 2 + known.directories) {
        find("links", "directory {} has {} links and {} directories in it", ino, known.links, known.directories);
      }
      if (known.names != (ino == root ? 0 : 1)) find("links", "directory {} has {} names", ino, known.names);
    } else if (known.names == 0) {
      find("leaked", "inode {} has no name and is no orphan", ino);
    } else if (known.names != known.links) {
      find("links", "inode {} has {} links and {} names", ino, known.links, known.names);
    }
  }
}

void CheckSteps::quota() {
  std::map<uint32_t, Usage> users;
  std::map<uint32_t, Usage> groups;
  for (const auto& [ino, known] : known_) {
    if (volume_.is_quota_inode(ino)) continue;
    for (Usage* usage : {&users[known.uid], &groups[known.gid]}) {
      usage->blocks += known.blocks;
      ++usage->inodes;
    }
  }
  quota_file(QuotaKind::kUser, volume_.superblock.user_quota_ino, users);
  quota_file(QuotaKind::kGroup, volume_.superblock.group_quota_ino, groups);
}

void CheckSteps::quota_file(QuotaKind kind, uint64_t ino, const std::map<uint32_t, Usage>& expected) {
  const char* what = kind == QuotaKind::kUser ? "user" : "group";
  const auto got = volume_.inodes.get(ino);
  if (!got.ok()) {
    find("quota", "the {} quota file: {}", what, got.error().message());
    return;
  }
  std::map<uint32_t, Usage> left = expected;
  {
    Inode& inode = **got;
    const WriterLock lock(inode.ilock);
    for (const Extent& extent : inode.extents.all()) {
      for (uint64_t i = 0; i < uint64_t{extent.count} * kDquotsPerBlock; ++i) {
        const auto id = static_cast<uint32_t>(extent.offset * kDquotsPerBlock + i);
        if (!volume_.plausible(extent.block, extent.count)) continue;
        const std::byte* address = volume_.address(extent.block + i / kDquotsPerBlock) + dquot_offset(id);
        const auto dquot = pmem::load(reinterpret_cast<const DquotDisk*>(address));
        const auto verified = verify_dquot(dquot, static_cast<uint32_t>(kind), id, volume_.superblock.uuid);
        if (!verified.ok()) find("quota", "{} {}: {}", what, id, verified.error().message());
        const auto node = left.extract(id);
        const Usage usage = node.empty() ? Usage{} : node.mapped();
        if (verified.ok() && (dquot.block_count != usage.blocks || dquot.inode_count != usage.inodes)) {
          find("quota", "{} {} has {} blocks and {} inodes, the dquot says {} and {}", what, id, usage.blocks, usage.inodes,
               dquot.block_count, dquot.inode_count);
        }
      }
    }
  }
  for (const auto& [id, usage] : left) {
    if (usage.blocks != 0 || usage.inodes != 0) find("quota", "{} {} has no dquot", what, id);
  }
  if (volume_.inodes.put(*got)) volume_.inodes.gone(*got);
}

}  // namespace daxlab::xfslike
