#include "engines/xfslike/extent_free.h"

#include "engines/base/check.h"
#include "engines/xfslike/ail.h"
#include "engines/xfslike/item_format.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

LogItem::Size ExtentFreeIntentItem::log_size() const {
  return {1, static_cast<uint32_t>(sizeof(ExtentFreeLogDisk) + extents_.size() * sizeof(BlockRunDisk))};
}

void ExtentFreeIntentItem::format(RegionWriter& out) const {
  std::byte* to = out.add(log_size().bytes);
  const ExtentFreeLogDisk disk{{}, static_cast<uint32_t>(extents_.size()), id_};
  __builtin_memcpy(to, &disk, sizeof disk);
  to += sizeof disk;
  for (const BlockRun& run : extents_) {
    const BlockRunDisk run_disk{run.first, run.count};
    __builtin_memcpy(to, &run_disk, sizeof run_disk);
    to += sizeof run_disk;
  }
}

// The intent puts itself into the AIL, so that a done record of the same checkpoint, whose turn comes next, finds it there.
Lsn ExtentFreeIntentItem::committed(Lsn start) {
  if (done_) {
    delete this;
    return kNoLsn;
  }
  settled_ = true;
  LogItem* const self = this;
  if (volume_.ail != nullptr) volume_.ail->insert({&self, 1}, start);
  return kNoLsn;
}

void ExtentFreeIntentItem::aborted() {
  if (done_) {
    delete this;
  } else {
    settled_ = true;
  }
}

LogItem::Size ExtentFreeDoneItem::log_size() const { return {1, sizeof(ExtentFreeLogDisk)}; }

void ExtentFreeDoneItem::format(RegionWriter& out) const {
  const ExtentFreeLogDisk disk{{}, 0, intent_.id_};
  __builtin_memcpy(out.add(sizeof disk), &disk, sizeof disk);
}

void ExtentFreeDoneItem::finish() {
  if (intent_.settled_) {
    if (intent_.volume_.ail != nullptr) intent_.volume_.ail->remove(intent_);
    delete &intent_;
  } else {
    intent_.done_ = true;
  }
  delete this;
}

Lsn ExtentFreeDoneItem::committed(Lsn) {
  Volume& volume = intent_.volume_;
  for (const BlockRun& run : intent_.extents_) {
    volume.group(run.first).space.give(run.first, run.count);
    volume.budget.give_back(run.count);
    volume.busy_blocks.fetch_sub(run.count, std::memory_order_acq_rel);
  }
  finish();
  return kNoLsn;
}

}  // namespace daxlab::xfslike
