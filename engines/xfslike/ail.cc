#include "engines/xfslike/ail.h"

#include <algorithm>

#include "engines/base/check.h"

namespace daxlab::xfslike {

Ail::~Ail() {
  const MutexLock lock(mutex_);
  while (front_ != nullptr) unlink(*front_);
}

void Ail::link(LogItem& item, Lsn lsn) {
  LogItem* before = back_;
  while (before != nullptr && before->ail_lsn() > lsn) before = before->ail_before_;
  item.ail_before_ = before;
  item.ail_behind_ = before == nullptr ? front_ : before->ail_behind_;
  (before == nullptr ? front_ : before->ail_behind_) = &item;
  (item.ail_behind_ == nullptr ? back_ : item.ail_behind_->ail_before_) = &item;
  item.ail_lsn_.store(lsn, std::memory_order_release);
  ++size_;
}

void Ail::unlink(LogItem& item) {
  if (cursor_ == &item) cursor_ = item.ail_behind_;
  (item.ail_before_ == nullptr ? front_ : item.ail_before_->ail_behind_) = item.ail_behind_;
  (item.ail_behind_ == nullptr ? back_ : item.ail_behind_->ail_before_) = item.ail_before_;
  item.ail_before_ = nullptr;
  item.ail_behind_ = nullptr;
  item.ail_lsn_.store(kNoLsn, std::memory_order_release);
  --size_;
}

void Ail::insert(std::span<LogItem* const> items, Lsn lsn) {
  DAXLAB_CHECK(lsn != kNoLsn);
  bool rose = false;
  while (!items.empty()) {
    const auto batch = items.first(std::min(items.size(), kBatch));
    items = items.subspan(batch.size());
    const MutexLock lock(mutex_);
    const Lsn lowest_before = front_ == nullptr ? kNoLsn : front_->ail_lsn();
    for (LogItem* item : batch) {
      const Lsn at = item->ail_lsn();
      if (at >= lsn) continue;
      if (at != kNoLsn) unlink(*item);
      link(*item, lsn);
      (at == kNoLsn ? stats_.ail_inserts : stats_.ail_moves).add();
    }
    rose |= lowest_before != kNoLsn && front_->ail_lsn() > lowest_before;
  }
  if (rose && tail_moved_) tail_moved_();
}

bool Ail::take_out(LogItem& item, Lsn lsn) {
  bool rose = false;
  {
    const MutexLock lock(mutex_);
    const auto self = std::this_thread::get_id();
    while (pushed_ == &item && item.ail_pusher_ != self) push_ended_.wait(mutex_);
    const Lsn at = item.ail_lsn();
    const bool out = at != kNoLsn && (lsn == kNoLsn || at == lsn);
    // Whoever pushes it may destroy it, or let it be destroyed, from here on; the pass must not look at it again.
    if (pushed_ == &item && (out || at == kNoLsn)) {
      item.ail_pusher_ = {};
      pushed_ = nullptr;
      push_ended_.notify_all();
    }
    if (!out) return false;
    const bool was_front = front_ == &item;
    unlink(item);
    rose = was_front && (front_ == nullptr || front_->ail_lsn() > at);
  }
  if (rose && tail_moved_) tail_moved_();
  return true;
}

bool Ail::remove(LogItem& item) { return take_out(item, kNoLsn); }

bool Ail::remove_at(LogItem& item, Lsn lsn) { return lsn != kNoLsn && take_out(item, lsn); }

bool Ail::empty() const { return size() == 0; }

size_t Ail::size() const {
  const MutexLock lock(mutex_);
  return size_;
}

Lsn Ail::lowest() const {
  const MutexLock lock(mutex_);
  return front_ == nullptr ? kNoLsn : front_->ail_lsn();
}

Lsn Ail::highest() const {
  const MutexLock lock(mutex_);
  return back_ == nullptr ? kNoLsn : back_->ail_lsn();
}

Ail::Pass Ail::push(Lsn target, uint32_t limit) {
  const MutexLock one_pass(pass_mutex_);
  Pass pass;
  stats_.ail_passes.add();
  mutex_.lock();
  cursor_ = front_;
  for (uint32_t pushed = 0; pushed < limit && cursor_ != nullptr && cursor_->ail_lsn() <= target; ++pushed) {
    LogItem* const item = cursor_;
    cursor_ = item->ail_behind_;
    pushed_ = item;
    item->ail_pusher_ = std::this_thread::get_id();
    mutex_.unlock();
    const LogItem::Push outcome = item->push();
    mutex_.lock();
    if (pushed_ == item) {
      item->ail_pusher_ = {};
      pushed_ = nullptr;
      push_ended_.notify_all();
    }
    if (outcome == LogItem::Push::kDone) ++pass.done;
    if (outcome == LogItem::Push::kPinned) ++pass.pinned;
    if (outcome == LogItem::Push::kLocked) ++pass.locked;
  }
  cursor_ = nullptr;
  mutex_.unlock();
  stats_.ail_pushes.add(pass.done);
  stats_.ail_pinned.add(pass.pinned);
  stats_.ail_locked.add(pass.locked);
  return pass;
}

}  // namespace daxlab::xfslike
