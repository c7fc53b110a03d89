#include "engines/xfslike/iclog_ring.h"

#include <algorithm>
#include <utility>

#include "engines/base/account.h"
#include "engines/base/check.h"
#include "engines/base/counters.h"

namespace daxlab::xfslike {

IclogRing::IclogRing(const LogGeometry& geometry, const RingStart& start, GrantHeads& grants, LogStats& stats, Hooks hooks)
    : geometry_(geometry),
      grants_(grants),
      stats_(stats),
      hooks_(std::move(hooks)),
      epoch_(start.epoch),
      iclogs_(geometry.iclogs),
      next_lsn_(start.head),
      previous_block_(start.previous_block),
      next_sequence_(start.next_sequence) {}

Result<std::unique_ptr<IclogRing>> IclogRing::make(LogPlacement& placement, const LogConfig& config, const LogGeometry& geometry,
                                                   const RingStart& start, GrantHeads& grants, LogStats& stats, Hooks hooks) {
  std::unique_ptr<IclogRing> ring(new IclogRing(geometry, start, grants, stats, std::move(hooks)));
  for (size_t i = 0; i < ring->iclogs_.size(); ++i) {
    DAXLAB_ASSIGN(ring->iclogs_[i].space, placement.make_iclog(config));
    ring->iclogs_[i].next = &ring->iclogs_[(i + 1) % ring->iclogs_.size()];
  }
  const MutexLock lock(ring->mutex_);
  ring->head_ = ring->oldest_ = ring->iclogs_.data();
  return ring;
}

void IclogRing::enter(Iclog& iclog, IclogState state) {
  iclog.state = state;
  stats_.iclog_entered[static_cast<size_t>(state)].add();
}

uint32_t IclogRing::padded_bytes(uint32_t payload_bytes) const {
  return static_cast<uint32_t>(align_up(geometry_.header_bytes + payload_bytes, geometry_.lsunit_bytes)) - geometry_.header_bytes;
}

void IclogRing::begin_record(Iclog& iclog, Ticket& ticket) {
  ticket.left_ -= geometry_.header_bytes;
  iclog.lsn = next_lsn_;
  iclog.previous_block = previous_block_;
  iclog.sequence = next_sequence_++;
  iclog.space->begin(iclog.lsn);
}

Result<IclogRing::Part> IclogRing::get_space(uint32_t size_bytes, Ticket& ticket) {
  mutex_.lock();
  bool waited = false;
  for (;;) {
    if (shut_down_) {
      mutex_.unlock();
      return Errc::kIo;
    }
    Iclog& iclog = *head_;
    if (iclog.state != IclogState::kActive) {
      if (!std::exchange(waited, true)) stats_.iclog_waits.add();
      space_.wait(mutex_);
      continue;
    }
    ++iclog.references;
    if (iclog.offset_bytes == 0) begin_record(iclog, ticket);
    const uint32_t left = geometry_.capacity_bytes - iclog.offset_bytes;
    if (left < 2 * kOpHeaderBytes) {  // an op header is never cut, and an op of nothing but one is for commits
      switch_from(iclog, iclog.offset_bytes);
      drop_and_unlock(iclog, &ticket);
      mutex_.lock();
      continue;
    }
    Part part{&iclog, iclog.offset_bytes, std::min(size_bytes, left), size_bytes > left};
    if (part.switched)
      switch_from(iclog, geometry_.capacity_bytes);  // all of the rest; offset_bytes grows by what will be copied
    else
      iclog.offset_bytes += size_bytes;
    if (hooks_.given_out) hooks_.given_out(iclog.lsn, geometry_.header_bytes + padded_bytes(part.offset_bytes + part.size_bytes));
    mutex_.unlock();
    return part;
  }
}

void IclogRing::switch_from(Iclog& iclog, uint32_t payload_bytes) {
  DAXLAB_CHECK(&iclog == head_ && iclog.state == IclogState::kActive);
  enter(iclog, IclogState::kWantSync);
  previous_block_ = lsn_block(iclog.lsn);
  next_lsn_ = geometry_.advance(iclog.lsn, (geometry_.header_bytes + padded_bytes(payload_bytes)) / kBasicBlockBytes);
  head_ = iclog.next;
}

OpHeaderDisk& IclogRing::continuation(Iclog& iclog) {
  const MutexLock lock(mutex_);
  DAXLAB_CHECK(iclog.continuation_count < Iclog::kContinuations);
  return iclog.continuations[iclog.continuation_count++];
}

void IclogRing::put_space(const Part& part, IclogCursor& cursor, uint32_t ops, Ticket* ticket) {
  Iclog& iclog = *part.iclog;
  mutex_.lock();
  iclog.ops += ops;
  if (part.switched) iclog.offset_bytes += cursor.at_bytes - cursor.begin_bytes;
  // A switched iclog takes no new writer: its last one writes the record.
  const bool writes_next = iclog.state == IclogState::kWantSync && iclog.references == 1;
  mutex_.unlock();
  iclog.space->settle(cursor, writes_next);
  mutex_.lock();
  drop_and_unlock(iclog, ticket);
}

void IclogRing::hold_for_commit(Iclog& iclog, Checkpoint& checkpoint) {
  const MutexLock lock(mutex_);
  DAXLAB_CHECK(iclog.references > 0);
  ++iclog.references;
  iclog.completes.push_back(&checkpoint);
}

void IclogRing::put_commit(Iclog& iclog, Lsn start, Ticket& ticket) {
  mutex_.lock();
  bool waited = false;
  while (start != iclog.lsn && oldest_ != &iclog && !shut_down_) {
    if (!std::exchange(waited, true)) stats_.previous_waits.add();
    completion_.wait(mutex_);
  }
  if (iclog.credit_bytes == 0) {
    iclog.credit_bytes = geometry_.lsunit_bytes;
    ticket.left_ -= geometry_.lsunit_bytes;
  }
  drop_and_unlock(iclog, &ticket);
}

RecordDraft IclogRing::draft_of(Iclog& iclog, Ticket* ticket) {
  RecordDraft draft;
  draft.lsn = iclog.lsn;
  draft.tail_lsn = hooks_.tail();
  draft.previous_block = iclog.previous_block;
  draft.ops = iclog.ops;
  draft.payload_bytes = iclog.offset_bytes;
  draft.padded_bytes = padded_bytes(iclog.offset_bytes);
  draft.sequence = iclog.sequence;
  draft.epoch = epoch_;
  const uint32_t roundoff = draft.padded_bytes - draft.payload_bytes;
  if (const uint32_t credit = std::exchange(iclog.credit_bytes, 0); credit > 0) {
    DAXLAB_CHECK(roundoff <= credit);
    grants_.give_back(credit - roundoff);
  } else if (ticket != nullptr) {
    ticket->left_ -= roundoff;
  } else {
    grants_.take_unasked(roundoff);
  }
  // What is overwritten was written back: the reservation saw to that.
  const uint64_t record_bytes = geometry_.header_bytes + draft.padded_bytes;
  DAXLAB_CHECK(geometry_.distance(draft.tail_lsn, draft.lsn) + record_bytes <= geometry_.ring_bytes());
  stats_.records.add();
  stats_.payload_bytes.add(draft.payload_bytes);
  stats_.header_bytes.add(geometry_.header_bytes);
  stats_.roundoff_bytes.add(roundoff);
  stats_.op_headers.add(draft.ops);
  if (lsn_block(draft.lsn) + record_bytes / kBasicBlockBytes > geometry_.ring_blocks) stats_.wraps.add();
  count(Counter::log_bytes, record_bytes);
  return draft;
}

void IclogRing::drop_and_unlock(Iclog& iclog, Ticket* ticket) {
  DAXLAB_CHECK(iclog.references > 0);
  if (--iclog.references > 0 || iclog.state != IclogState::kWantSync) {
    mutex_.unlock();
    return;
  }
  enter(iclog, IclogState::kSyncing);
  const RecordDraft draft = draft_of(iclog, ticket);
  const bool dropped = shut_down_;
  mutex_.unlock();
  if (!dropped) {
    const AccountScope scope(Phase::kLogWrite);
    iclog.space->write(draft);
  }
  mutex_.lock();
  enter(iclog, IclogState::kDoneSync);
  mutex_.unlock();
  hooks_.hand_over();
}

void IclogRing::run_callbacks() {
  mutex_.lock();
  if (calling_back_) {  // whoever is in there looks again before it leaves
    mutex_.unlock();
    return;
  }
  calling_back_ = true;
  while (oldest_->state == IclogState::kDoneSync) {
    Iclog& iclog = *oldest_;
    enter(iclog, IclogState::kCallback);
    const std::vector<Checkpoint*> completes = std::exchange(iclog.completes, {});
    mutex_.unlock();
    for (Checkpoint* checkpoint : completes) hooks_.completed(*checkpoint);
    mutex_.lock();
    enter(iclog, IclogState::kDirty);
    completed_.store(iclog.lsn, std::memory_order_release);
    iclog.offset_bytes = 0;
    iclog.ops = 0;
    iclog.continuation_count = 0;
    oldest_ = iclog.next;
    enter(iclog, IclogState::kActive);
    completion_.notify_all();
    space_.notify_all();
  }
  calling_back_ = false;
  mutex_.unlock();
}

Result<void> IclogRing::force(Lsn lsn) {
  mutex_.lock();
  if (head_->state == IclogState::kActive && head_->offset_bytes > 0 && head_->lsn <= lsn) {
    Iclog& iclog = *head_;
    ++iclog.references;
    switch_from(iclog, iclog.offset_bytes);
    drop_and_unlock(iclog, nullptr);
    mutex_.lock();
  }
  while (completed_.load(std::memory_order_relaxed) < lsn && !shut_down_) completion_.wait(mutex_);
  const bool failed = completed_.load(std::memory_order_relaxed) < lsn;
  mutex_.unlock();
  if (failed) return Errc::kIo;
  return {};
}

void IclogRing::shutdown() {
  const MutexLock lock(mutex_);
  shut_down_ = true;
  space_.notify_all();
  completion_.notify_all();
}

Lsn IclogRing::head() const {
  const MutexLock lock(mutex_);
  return head_->offset_bytes > 0 && head_->state == IclogState::kActive ? head_->lsn : next_lsn_;
}

}  // namespace daxlab::xfslike
