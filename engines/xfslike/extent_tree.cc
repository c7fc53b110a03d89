#include "engines/xfslike/extent_tree.h"

#include <fmt/format.h>

#include "engines/base/check.h"
#include "engines/xfslike/btree.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {

/// The nodes of an inode's tree: blocks of the medium, which are their own addresses.
class ExtentTreeSpace final : public TreeSpace {
 public:
  ExtentTreeSpace(Inode& inode, Transaction* transaction) : inode_(inode), transaction_(transaction) {}

  uint32_t block_bytes() const override { return kBlockBytes; }
  Result<MetadataRef> get(uint64_t address, Access access) override {
    if (!inode_.volume().plausible(address)) return Error(Errc::kCorrupt, "a node of an extents' tree lies outside");
    if (transaction_ == nullptr) return inode_.volume().cache.read_shared(name(address));
    return transaction_->read(name(address), access == Access::kWrite);
  }
  Result<uint64_t> allocate() override {
    const uint64_t near = inode_.extents.empty() ? inode_block(inode_.ino()) : inode_.extents.all().front().block;
    DAXLAB_ASSIGN(const BlockRun run, transaction_->allocate({.near = near}));
    count(1);
    return run.first;
  }
  Result<MetadataRef> add(uint64_t address) override { return transaction_->create(name(address)); }
  Result<void> remove(uint64_t address) override {
    DAXLAB_TRY(transaction_->invalidate(name(address)));
    transaction_->free_extent(address, 1);
    count(-1);
    return {};
  }
  Result<uint64_t> next(uint64_t) override { return Errc::kNotSupported; }
  Result<uint64_t> unused(uint64_t) override { return Errc::kNotSupported; }

 private:
  BufferName name(uint64_t address) const { return {Magic::kExtentTree, inode_.ino(), {{address, 1}}}; }
  void count(int64_t blocks) {
    inode_.core.block_count += static_cast<uint64_t>(blocks);
    transaction_->charge(inode_, blocks, 0);
  }

  Inode& inode_;
  Transaction* const transaction_;
};

using ExtentTree = Btree<ExtentDisk>;

Result<void> make_tree(ExtentTree& tree, Inode& inode) {
  inode.core.fork_format = static_cast<uint8_t>(ForkFormat::kTree);
  for (const Extent& extent : inode.extents.all()) DAXLAB_TRY(tree.insert(extent.offset, pack(extent)));
  return {};
}

Result<void> follow(ExtentTree& tree, const ExtentMap::Change& change) {
  for (const auto& [offset, extent] : change.records) {
    if (!extent) {
      const auto erased = tree.erase(offset);  // may never have been there: came and went within the change
      if (!erased.ok() && erased.code() != Errc::kNotFound) return erased.error();
      continue;
    }
    const auto updated = tree.update(offset, pack(*extent));
    if (updated.ok()) continue;
    if (updated.code() != Errc::kNotFound) return updated.error();
    DAXLAB_TRY(tree.insert(offset, pack(*extent)));
  }
  return {};
}

}  // namespace

Result<void> store_extents(Transaction& transaction, Inode& inode, const ExtentMap::Change& change) {
  ExtentTreeSpace space(inode, &transaction);
  ExtentTree tree(space, inode.tree);
  const bool fits = inode.extents.size() <= kExtentsInline;
  if (inode.fork_format() == ForkFormat::kExtents) {
    if (!fits) DAXLAB_TRY(make_tree(tree, inode));
  } else if (fits) {
    DAXLAB_TRY(tree.clear());
    inode.tree = {};
    inode.core.fork_format = static_cast<uint8_t>(ForkFormat::kExtents);
  } else {
    DAXLAB_TRY(follow(tree, change));
  }
  inode.count_fork();
  transaction.log(inode, kInodeCore | kInodeFork | kInodeData);
  return {};
}

uint32_t tree_blocks_needed(const Inode& inode) {
  if (inode.extents.size() + 2 <= kExtentsInline) return 0;
  return inode.tree.height + 2;
}

Result<void> read_extent_tree(Inode& inode) {
  ExtentTreeSpace space(inode, nullptr);
  ExtentTree tree(space, inode.tree);
  inode.extents.clear();
  bool sound = true;
  DAXLAB_TRY(tree.visit(0, [&](uint64_t offset, const ExtentDisk& disk) {
    const Extent extent = unpack(disk);
    sound = extent.offset == offset && inode.volume().plausible(extent.block, extent.count) && inode.extents.append_read(extent);
    return sound;
  }));
  if (sound && inode.extents.size() == inode.core.extent_count) return {};
  return Error(Errc::kCorrupt, fmt::format("inode {}: its tree has impossible extents", inode.ino()));
}

Result<void> each_extent_tree_node(Inode& inode, const std::function<bool(uint64_t block)>& visit) {
  if (inode.fork_format() != ForkFormat::kTree) return {};
  ExtentTreeSpace space(inode, nullptr);
  ExtentTree tree(space, inode.tree);
  return tree.bytes().visit_nodes([&](uint64_t address, uint32_t) { return visit(address); });
}

}  // namespace daxlab::xfslike
