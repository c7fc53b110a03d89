#include "engines/xfslike/grant_heads.h"

#include <algorithm>

#include "engines/base/check.h"

namespace daxlab::xfslike {

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  release();
  heads_ = std::exchange(other.heads_, nullptr);
  left_ = std::exchange(other.left_, 0);
  unit_ = std::exchange(other.unit_, 0);
  count_ = std::exchange(other.count_, 0);
  return *this;
}

void Ticket::release() {
  if (heads_ != nullptr) heads_->release(*this);
}

// Lock-free. tail_space_ grows before give_back() lowers a head by as much, so that what is seen here is never too much.
bool GrantHeads::try_take(Head& head, int64_t need) {
  int64_t taken = head.bytes.load(std::memory_order_seq_cst);
  do {
    if (taken + need > log_bytes_ - tail_space_.load(std::memory_order_seq_cst)) return false;
  } while (!head.bytes.compare_exchange_weak(taken, taken + need, std::memory_order_seq_cst));
  return true;
}

Result<void> GrantHeads::take(Head& head, int64_t need, Tally& sleeps) {
  if (need > log_bytes_) return Error(Errc::kNoSpace, "a reservation larger than the log");
  for (;;) {
    if (shut_down_.load(std::memory_order_acquire)) return Errc::kIo;
    if (head.waiting.load(std::memory_order_seq_cst) == 0 && try_take(head, need)) return {};
    if (may_sleep_) return sleep(head, need, sleeps);
    if (!more_()) break;
  }
  if (try_take(head, need)) return {};
  return Error(Errc::kNoSpace, "the log is full of what cannot be written back now");
}

// Asks for space only once it is in the list: who pushes the tail rests when nobody is there, and would not come back for one that it
// did not see (as xlog_grant_head_wait() does, fs/xfs/xfs_log.c).
Result<void> GrantHeads::sleep(Head& head, int64_t need, Tally& sleeps) {
  Waiter waiter{need, false, {}};
  head.mutex.lock();
  head.waiting.fetch_add(1, std::memory_order_seq_cst);
  head.waiters.push_back(&waiter);
  head.mutex.unlock();
  more_();
  wake(head);  // space that came between the last look and the list
  head.mutex.lock();
  if (!waiter.granted) {
    sleeps.add();
    while (!waiter.granted && !shut_down_.load(std::memory_order_acquire)) waiter.wake.wait(head.mutex);
  }
  if (!waiter.granted) {
    head.waiters.remove(&waiter);
    head.waiting.fetch_sub(1, std::memory_order_seq_cst);
  }
  head.mutex.unlock();
  if (waiter.granted) return {};
  return Errc::kIo;
}

void GrantHeads::wake(Head& head) {
  if (head.waiting.load(std::memory_order_seq_cst) == 0) return;
  const MutexLock lock(head.mutex);
  while (!head.waiters.empty() && try_take(head, head.waiters.front()->need)) {
    Waiter* const waiter = head.waiters.front();
    head.waiters.pop_front();
    head.waiting.fetch_sub(1, std::memory_order_seq_cst);
    waiter->granted = true;
    waiter->wake.notify_one();
  }
}

void GrantHeads::give(Head& head, int64_t bytes) {
  head.bytes.fetch_sub(bytes, std::memory_order_seq_cst);
  wake(head);
}

Result<Ticket> GrantHeads::reserve(uint32_t unit_bytes, uint32_t count) {
  const int64_t need = int64_t{unit_bytes} * count;
  DAXLAB_TRY(take(reserve_, need, stats_.grant_sleeps));
  write_.bytes.fetch_add(need, std::memory_order_seq_cst);
  Ticket ticket;
  ticket.heads_ = this;
  ticket.left_ = unit_bytes;
  ticket.unit_ = unit_bytes;
  ticket.count_ = count;
  return ticket;
}

void GrantHeads::roll(Ticket& ticket) {
  if (ticket.count_ > 0) --ticket.count_;
  const int64_t rest = std::exchange(ticket.left_, ticket.unit_);
  if (ticket.count_ == 0) reserve_.bytes.fetch_add(ticket.unit_, std::memory_order_seq_cst);  // may overcommit
  give(reserve_, rest);
  give(write_, rest);
}

Result<void> GrantHeads::regrant(Ticket& ticket) {
  if (ticket.count_ > 0) return {};
  // From here until it is granted the unit is in the reserve head alone.
  if (auto taken = take(write_, ticket.unit_, stats_.regrant_sleeps); !taken.ok()) {
    give(reserve_, ticket.unit_);
    ticket.heads_ = nullptr;
    ticket.left_ = 0;
    return taken.error();
  }
  ticket.count_ = 1;
  return {};
}

void GrantHeads::release(Ticket& ticket) {
  // A chain that was rolled and not granted holds its unit in the reserve head only.
  const bool in_write_head = ticket.count_ > 0;
  const int64_t bytes = ticket.left_ + int64_t{ticket.unit_} * (ticket.count_ > 1 ? ticket.count_ - 1 : 0);
  ticket.heads_ = nullptr;
  ticket.left_ = 0;
  ticket.count_ = 0;
  give(reserve_, bytes);
  if (in_write_head) give(write_, bytes);
}

void GrantHeads::set_tail_space(uint64_t bytes) {
  tail_space_.store(static_cast<int64_t>(bytes), std::memory_order_seq_cst);
  wake(reserve_);
  wake(write_);
}

void GrantHeads::give_back(uint64_t bytes) {
  give(reserve_, static_cast<int64_t>(bytes));
  give(write_, static_cast<int64_t>(bytes));
}

void GrantHeads::take_unasked(int64_t bytes) {
  reserve_.bytes.fetch_add(bytes, std::memory_order_seq_cst);
  write_.bytes.fetch_add(bytes, std::memory_order_seq_cst);
}

uint64_t GrantHeads::free_bytes() const {
  const int64_t free = log_bytes_ - tail_space_.load(std::memory_order_relaxed) - reserved_bytes();
  return static_cast<uint64_t>(std::max<int64_t>(free, 0));
}

bool GrantHeads::anyone_waits() const {
  return reserve_.waiting.load(std::memory_order_seq_cst) + write_.waiting.load(std::memory_order_seq_cst) > 0;
}

void GrantHeads::shutdown() {
  shut_down_.store(true, std::memory_order_release);
  for (Head* head : {&reserve_, &write_}) {
    const MutexLock lock(head->mutex);
    for (Waiter* waiter : head->waiters) waiter->wake.notify_one();
  }
}

}  // namespace daxlab::xfslike
