// Freeing extents in two steps: an intent with the change that unmaps them, a done record with the freeing. (XFS:
// fs/xfs/xfs_extfree_item.c.)
//
// A crash between the two leaves an intent without a done record, which recovery finishes. When the done record is durable the blocks
// may be allocated again, not before.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engines/xfslike/buffer_mapping.h"
#include "engines/xfslike/log_item.h"

namespace daxlab::xfslike {

struct Volume;

class ExtentFreeDoneItem;

/// Destroys itself when its done record is durable.
class ExtentFreeIntentItem final : public LogItem {
 public:
  ExtentFreeIntentItem(Volume& volume, uint64_t id, std::vector<BlockRun> extents)
      : LogItem(ItemType::kExtentFreeIntent), volume_(volume), id_(id), extents_(std::move(extents)) {}
  /// One that recovery found: the AIL has it already.
  static std::unique_ptr<ExtentFreeIntentItem> recovered(Volume& volume, uint64_t id, std::vector<BlockRun> extents) {
    auto intent = std::make_unique<ExtentFreeIntentItem>(volume, id, std::move(extents));
    intent->settled_ = true;
    return intent;
  }
  uint64_t id() const { return id_; }
  const std::vector<BlockRun>& extents() const { return extents_; }

  Size log_size() const override;
  void format(RegionWriter& out) const override;
  void pin() override {}
  void unpin() override {}
  Lsn committed(Lsn start) override;
  void aborted() override;
  /// Only its done record takes it out of the AIL.
  Push push() override { return Push::kPinned; }

 private:
  friend class ExtentFreeDoneItem;
  Volume& volume_;
  const uint64_t id_;
  const std::vector<BlockRun> extents_;
  bool settled_ = false;  // the log is through with it: it is in the AIL, or dropped
  bool done_ = false;     // the log is through with its done record, which came first
};

class ExtentFreeDoneItem final : public LogItem {
 public:
  explicit ExtentFreeDoneItem(ExtentFreeIntentItem& intent) : LogItem(ItemType::kExtentFreeDone), intent_(intent) {}

  Size log_size() const override;
  void format(RegionWriter& out) const override;
  void pin() override {}
  void unpin() override {}
  /// The extents are free from now on; destroys the intent and itself.
  Lsn committed(Lsn start) override;
  /// They stay allocated, to a mount that ends; destroys itself.
  void aborted() override { finish(); }
  Push push() override { return Push::kPinned; }

 private:
  void finish();

  ExtentFreeIntentItem& intent_;
};

}  // namespace daxlab::xfslike
