#include "engines/xfslike/cil.h"

#include <algorithm>
#include <utility>

#include "engines/base/check.h"
#include "engines/base/counters.h"

namespace daxlab::xfslike {

Cil::Cil(const LogConfig& config, IclogRing& ring, GrantHeads& grants, LogStats& stats, LogWorker* pushers,
         uint64_t first_sequence)
    : config_(config),
      ring_(ring),
      grants_(grants),
      stats_(stats),
      pushers_(pushers),
      push_bytes_(std::min(ring.geometry().ring_bytes() / 8, kPushBytesMax)),
      current_(make_checkpoint(first_sequence)),
      durable_sequence_(first_sequence - 1) {}

Cil::~Cil() {
  if (current_ == nullptr) return;
  current_->detach_items();
  while (!committing_.empty()) abort(*committing_.front());  // pushed, and not complete: nobody works on them any more
  abort(*current_.release());
}

std::unique_ptr<Checkpoint> Cil::make_checkpoint(uint64_t sequence) const {
  return std::make_unique<Checkpoint>(sequence, static_cast<uint32_t>(sequence));
}

uint64_t Cil::commit(Ticket& ticket, std::span<LogItem* const> items, bool roll) {
  // The only allocation, where waiting for memory holds nobody up but this transaction.
  for (LogItem* item : items) {
    const LogItem::Size size = item->log_size();
    if (item->shadow_ == nullptr || !item->shadow_->holds(size)) item->shadow_ = LogVector::make(size);
  }
  uint64_t sequence = 0;
  {
    const ReaderLock context(context_);
    sequence = current_->sequence;
    if (!items.empty()) insert(*current_, ticket, items);
    if (roll)
      grants_.roll(ticket);
    else
      ticket.release();
    for (LogItem* item : items) item->committing(sequence);
  }
  stats_.commits.add();
  stats_.items.add(items.size());
  push_if_full(sequence);
  return sequence;
}

void Cil::insert(Checkpoint& checkpoint, Ticket& ticket, std::span<LogItem* const> items) {
  int64_t bytes = 0;
  for (LogItem* item : items) bytes += format(checkpoint, *item);
  const MutexLock lock(mutex_);
  steal(checkpoint, ticket, bytes);
}

/// Returns by how much the checkpoint grew.
int64_t Cil::format(Checkpoint& checkpoint, LogItem& item) {
  LogVector* const old = item.vector_;
  if (old == nullptr) {
    item.pin();
  } else {
    stats_.relogged.add();
  }
  if (old != nullptr && config_.relog && old->holds(item.log_size())) {
    const int64_t before = old->log_bytes;
    old->format(item);
    const MutexLock lock(mutex_);
    checkpoint.take_out(*old);
    checkpoint.append(*old);
    return int64_t{old->log_bytes} - before;
  }
  LogVector* const fresh = item.shadow_.release();
  fresh->item = &item;
  fresh->format(item);
  item.vector_ = fresh;
  int64_t grown = fresh->log_bytes;
  const MutexLock lock(mutex_);
  if (old == nullptr) {
    ++checkpoint.items;
  } else if (config_.relog) {
    grown -= old->log_bytes;
    checkpoint.take_out(*old);
    item.shadow_.reset(old);
  } else {
    old->item = nullptr;  // its bytes are written, the item is the new vector's
  }
  checkpoint.append(*fresh);
  return grown;
}

/// The transaction's reservation becomes the checkpoint's as far as it is used: the bytes; for the first, a checkpoint's own
/// operations, headers and rounding; and every record header that the growth may need.
void Cil::steal(Checkpoint& checkpoint, Ticket& ticket, int64_t bytes) {
  const LogGeometry& geometry = ring_.geometry();
  int64_t taken = bytes;
  checkpoint.space_bytes = static_cast<uint64_t>(static_cast<int64_t>(checkpoint.space_bytes) + bytes);
  if (!checkpoint.ticket.valid()) {
    checkpoint.ticket.heads_ = &grants_;
    checkpoint.ticket.count_ = 1;
    checkpoint.headers = 1;
    taken += static_cast<int64_t>(log_unit_bytes(0, geometry));
  }
  const uint32_t headers = headers_for(kCheckpointOpBytes + checkpoint.space_bytes, geometry.capacity_bytes);
  if (headers > checkpoint.headers) {
    taken += int64_t{headers - checkpoint.headers} * (geometry.header_bytes + kOpHeaderBytes);
    checkpoint.headers = headers;
  }
  checkpoint.ticket.left_ += taken;
  ticket.left_ -= taken;
  DAXLAB_CHECK(ticket.left_ >= 0 && "a transaction logs more than it has reserved");
}

void Cil::push_if_full(uint64_t sequence) {
  {
    const MutexLock lock(mutex_);
    if (current_->sequence != sequence || current_->space_bytes < push_bytes_) return;
  }
  request_push(sequence);
  const MutexLock lock(mutex_);
  bool waited = false;
  while (current_->sequence == sequence && current_->space_bytes >= 2 * push_bytes_ && !shut_down_) {
    if (!std::exchange(waited, true)) stats_.cil_blocks.add();
    throttled_.wait(mutex_);
  }
}

void Cil::request_push(uint64_t sequence) {
  {
    const MutexLock lock(mutex_);
    if (current_->items == 0 || current_->sequence > sequence || pushed_sequence_ >= current_->sequence) return;
    sequence = pushed_sequence_ = current_->sequence;
  }
  if (pushers_ != nullptr)
    pushers_->hand_over([this, sequence] { push(sequence); });
  else
    push(sequence);
}

/// Nobody else pushes `sequence`: request_push() gave it out once.
void Cil::push(uint64_t sequence) {
  {
    const MutexLock lock(mutex_);
    while (in_flight_ == kPushesMax) gate_.wait(mutex_);
    stats_.pushes_in_flight_max.raise_to(++in_flight_);
  }
  if (Checkpoint* const checkpoint = take_current(sequence)) write(*checkpoint);
  const MutexLock lock(mutex_);
  --in_flight_;
  gate_.notify_one();
}

Checkpoint* Cil::take_current(uint64_t sequence) {
  auto fresh = make_checkpoint(sequence + 1);
  const WriterLock context(context_);
  const MutexLock lock(mutex_);
  DAXLAB_CHECK(current_->sequence == sequence);
  current_->detach_items();
  Checkpoint* const taken = std::exchange(current_, std::move(fresh)).release();
  committing_.push_back(taken);
  throttled_.notify_all();
  written_.notify_all();
  return taken;
}

void Cil::write(Checkpoint& checkpoint) {
  stats_.pushes.add();
  stats_.checkpoint_items.add(checkpoint.items);
  Ticket ticket = std::move(checkpoint.ticket);  // the checkpoint may be completed, and gone, when its commit record is let go
  if (!write_in_order(checkpoint, ticket).ok()) abort(checkpoint);
  DAXLAB_CHECK(ticket.left_bytes() >= 0 && "a checkpoint used more of the log than it has reserved");
}

Result<void> Cil::write_in_order(Checkpoint& checkpoint, Ticket& ticket) {
  LogWriter writer(ring_, stats_, checkpoint.id, ticket);
  const Lsn floor = ring_.head();
  {
    const MutexLock lock(mutex_);
    checkpoint.start_floor = floor;
    wait_for_earlier(checkpoint, &Checkpoint::start_lsn);
  }
  DAXLAB_TRY(checkpoint.write_body(writer, [&](Lsn start) {
    const MutexLock lock(mutex_);
    checkpoint.start_lsn = start;
    written_.notify_all();
  }));
  {
    const MutexLock lock(mutex_);
    wait_for_earlier(checkpoint, &Checkpoint::commit_lsn);
  }
  DAXLAB_ASSIGN(Iclog* const iclog, checkpoint.write_commit(writer, ring_));
  const Lsn start = checkpoint.start_lsn;
  {
    const MutexLock lock(mutex_);
    checkpoint.commit_lsn = iclog->lsn;
    written_.notify_all();
  }
  ring_.put_commit(*iclog, start, ticket);
  return {};
}

void Cil::wait_for_earlier(const Checkpoint& checkpoint, Lsn Checkpoint::*mark) {
  bool waited = false;
  const auto earlier_without = [&]() DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
    return std::any_of(committing_.begin(), committing_.end(),
                       [&](const Checkpoint* other) { return other->sequence < checkpoint.sequence && other->*mark == kNoLsn; });
  };
  while (!shut_down_ && earlier_without()) {
    if (!std::exchange(waited, true)) stats_.order_waits.add();
    written_.wait(mutex_);
  }
}

Result<Lsn> Cil::push_through(uint64_t sequence) {
  for (;;) {
    request_push(sequence);
    const MutexLock lock(mutex_);
    if (shut_down_) return Errc::kIo;
    const bool to_come = current_->sequence <= sequence && current_->items > 0;
    Lsn last = kNoLsn;
    bool unwritten = false;
    for (const Checkpoint* checkpoint : committing_) {
      if (checkpoint->sequence > sequence) break;
      last = checkpoint->commit_lsn;
      unwritten |= last == kNoLsn;
    }
    if (!to_come && !unwritten) return last;
    // Somebody pushes it (request_push() gives a number out once): something will be written.
    if (to_come && pushed_sequence_ < current_->sequence) continue;
    written_.wait(mutex_);
  }
}

void Cil::forget(Checkpoint& checkpoint) {
  {
    const MutexLock lock(mutex_);
    const auto found = std::find(committing_.begin(), committing_.end(), &checkpoint);
    if (found != committing_.end()) committing_.erase(found);
    written_.notify_all();
  }
  delete &checkpoint;
}

void Cil::retire(Checkpoint& checkpoint) {
  durable_sequence_.store(checkpoint.sequence, std::memory_order_release);
  forget(checkpoint);
}

void Cil::abort(Checkpoint& checkpoint) {
  checkpoint.for_each_item([](LogItem& item) {
    item.unpin();
    item.aborted();  // may destroy it
  });
  forget(checkpoint);
}

void Cil::shutdown() {
  const MutexLock lock(mutex_);
  shut_down_ = true;
  written_.notify_all();
  throttled_.notify_all();
  gate_.notify_all();
}

uint64_t Cil::current_sequence() const {
  const MutexLock lock(mutex_);
  return current_->sequence;
}

bool Cil::current_is_empty() const {
  const MutexLock lock(mutex_);
  return current_->items == 0;
}

Lsn Cil::lowest_start() const {
  const MutexLock lock(mutex_);
  for (const Checkpoint* checkpoint : committing_) {
    if (checkpoint->start_lsn != kNoLsn) return checkpoint->start_lsn;
    if (checkpoint->start_floor != kNoLsn) return checkpoint->start_floor;
  }
  return kNoLsn;
}

}  // namespace daxlab::xfslike
