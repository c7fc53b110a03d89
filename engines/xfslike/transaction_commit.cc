// Committing a transaction.
//
// Order: the groups' blocks are locked and changed; everything that changed is handed to the log as one. Where extents are freed, an
// intent goes with it, and a second part frees them: a crash between the two leaves the intent, which recovery finishes; the blocks
// are allocated again only when the second part is durable (ExtentFreeDoneItem::committed()).
#include <algorithm>

#include "engines/base/check.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/log.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

void Transaction::lock_groups() DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  for (Buffer* const buffer : update_.buffers(volume_)) {
    if (buffer->transaction_ == this) continue;  // a new block of an index
    volume_.cache.hold(buffer);
    buffer->mutex_.lock();
    buffer->transaction_ = this;
    buffers_.push_back({buffer, 0, true});
  }
}

void Transaction::apply_charges() DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  for (const auto& [key, charge] : charges_) {
    Dquot& dquot = *charge.dquot;
    dquot.mutex().lock();
    dquot.core.block_count += static_cast<uint64_t>(charge.blocks);
    dquot.core.inode_count += static_cast<uint64_t>(charge.inodes);
    dquots_.push_back(&dquot);
  }
  charges_.clear();
}

void Transaction::collect(std::vector<LogItem*>& items) {
  for (Inode* const inode : inodes_) {
    if (!inode->item().logged()) continue;
    inode->item().set_dirty();
    items.push_back(&inode->item());
  }
  for (Joined& joined : buffers_) {
    DAXLAB_CHECK(joined.references == 0);
    joined.handed_over = joined.buffer->logged_;
    if (joined.handed_over) items.push_back(joined.buffer);
  }
  for (Dquot* const dquot : dquots_) items.push_back(dquot);
}

/// The items become part of the log, or of the medium where there is no log. Buffers and dquots that changed are unlocked.
uint64_t Transaction::hand_over(std::vector<LogItem*>& items, bool more) {
  uint32_t bytes = 0;
  for (const LogItem* const item : items) bytes += logged_bytes(*item);
  log_bytes_used_ = std::max(log_bytes_used_, bytes);
  DAXLAB_CHECK(bytes <= reservation_.log_bytes);
  uint64_t sequence = 0;
  if (volume_.log != nullptr) {
    sequence = volume_.log->commit(ticket_, items, more ? Log::After::kRoll : Log::After::kRelease);
  } else {
    volume_.store_unlogged(items);
  }
  items.clear();
  return sequence;
}

uint64_t Transaction::commit_frees(std::unique_ptr<ExtentFreeIntentItem> intent, std::vector<LogItem*>& items) {
  for (const BlockRun& run : intent->extents()) update_.free(run);
  lock_groups();
  update_.apply(volume_);
  auto done = std::make_unique<ExtentFreeDoneItem>(*intent.release());  // which destroys both
  collect(items);
  items.push_back(done.release());
  return hand_over(items, false);
}

uint64_t Transaction::commit_intent(std::unique_ptr<ExtentFreeIntentItem> intent) {
  DAXLAB_CHECK(!over_ && !dirty_);
  over_ = true;
  for (const BlockRun& run : intent->extents()) volume_.busy_blocks.fetch_add(run.count, std::memory_order_acq_rel);
  std::vector<LogItem*> items;
  const uint64_t sequence = commit_frees(std::move(intent), items);
  let_go();
  return sequence;
}

uint64_t Transaction::commit() {
  DAXLAB_CHECK(!over_);
  if (!dirty_) {
    cancel();
    return 0;
  }
  for (const BlockRun& run : taken_) update_.take(run);
  lock_groups();
  update_.apply(volume_);
  apply_charges();
  std::vector<LogItem*> items;
  collect(items);
  std::unique_ptr<ExtentFreeIntentItem> intent;
  if (!freed_.empty()) {
    for (const BlockRun& run : freed_) volume_.busy_blocks.fetch_add(run.count, std::memory_order_acq_rel);
    intent = std::make_unique<ExtentFreeIntentItem>(volume_, volume_.next_intent.fetch_add(1), std::move(freed_));
    items.push_back(intent.get());
  }
  uint64_t sequence = hand_over(items, intent != nullptr);
  update_.settle(volume_);
  let_go();
  if (intent != nullptr) {
    DAXLAB_CHECK(reservation_.parts > 1);
    sequence = std::max(sequence, commit_frees(std::move(intent), items));
    let_go();
  }
  over_ = true;
  return sequence;
}

/// Unlocks what was joined and not changed, and gives back what was reserved and not used.
void Transaction::let_go() DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  for (const Joined& joined : buffers_) {
    if (!joined.handed_over) {
      joined.buffer->transaction_ = nullptr;
      joined.buffer->mutex_.unlock();
    }
    volume_.cache.put(joined.buffer);
  }
  for (const BlockRun& run : objects_) {  // were not needed
    volume_.group(run.first).space.give(run.first, run.count);
    blocks_left_ += run.count;
  }
  buffers_.clear();
  dquots_.clear();
  inodes_.clear();
  update_ = GroupUpdate();
  taken_.clear();
  objects_.clear();
  volume_.budget.give_back(blocks_left_);
  blocks_left_ = 0;
}

}  // namespace daxlab::xfslike
