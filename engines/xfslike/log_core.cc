#include "engines/xfslike/log_core.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "engines/base/check.h"
#include "engines/base/counters.h"

namespace daxlab::xfslike {

Log::Core::Core(LogPlacement& where, const LogConfig& how, const LogGeometry& what)
    : placement(where),
      config(how),
      geometry(what),
      grants(
          what.ring_bytes(), stats,
          [this] {
            if (!config.background_threads) return make_space();
            tail_pusher->kick();
            return false;
          },
          how.background_threads) {
  ail.on_tail_moved([this] { update_tail(); });
}

Log::Core::~Core() {
  if (tail_pusher != nullptr) tail_pusher->stop();  // ends what pushes before what is pushed
  pushers.reset();
  completions.reset();
  tail_pusher.reset();  // completions look at it
  cil.reset();
  ring.reset();
}

Result<void> Log::Core::start(const RingStart& at, Lsn tail, Lsn last_record, uint64_t first_sequence) {
  {
    const MutexLock lock(tail_mutex);
    ail_head = last_record;
  }
  tail_lsn.store(tail, std::memory_order_release);
  grants.set_tail_space(geometry.distance(tail, last_record));
  // The last record is in the log without a reservation; the next checkpoint to complete gives back its space too.
  grants.take_unasked(static_cast<int64_t>(geometry.distance(last_record, at.head)));
  if (config.completion_by_worker()) completions = std::make_unique<LogWorker>(1, stats);
  IclogRing::Hooks hooks;
  hooks.tail = [this] { return this->tail(); };
  if (anchors != nullptr) hooks.given_out = [this](Lsn lsn, uint64_t bytes) { anchors->before_record(lsn, bytes, this->tail()); };
  hooks.completed = [this](Checkpoint& checkpoint) { complete(checkpoint); };
  hooks.hand_over = [this] {
    if (completions != nullptr)
      completions->hand_over([this] { ring->run_callbacks(); });
    else
      ring->run_callbacks();
  };
  DAXLAB_ASSIGN(ring, IclogRing::make(placement, config, geometry, at, grants, stats, std::move(hooks)));
  if (config.push_by_worker()) pushers = std::make_unique<LogWorker>(Cil::kPushesMax, stats);
  cil = std::make_unique<Cil>(config, *ring, grants, stats, pushers.get(), first_sequence);
  if (config.background_threads) {
    tail_pusher = std::make_unique<TailPusher>(ail, stats,
                                               TailPusher::Hooks{[this] { return tail_is_late() ? tail_target() : kNoLsn; },
                                                                 [this] { return grants.anyone_waits() && !shut_down; },
                                                                 [this] { static_cast<void>(force(UINT64_MAX)); }});
  }
  return {};
}

// Order: items into the AIL at the checkpoint's start, which holds the tail there; only then does the checkpoint let go of it and
// the head move on; only then is the space given back. Each step alone leaves the tail too low or the free space too small, never
// the opposite.
void Log::Core::complete(Checkpoint& checkpoint) {
  if (shut_down.load(std::memory_order_acquire)) return cil->abort(checkpoint);
  std::array<LogItem*, Ail::kBatch> batch;
  size_t filled = 0;
  const Lsn start = checkpoint.start_lsn;
  const auto insert_batch = [&] {
    if (!config.knock_out.ail) ail.insert({batch.data(), filled}, start);
    for (LogItem* item : std::span(batch).first(std::exchange(filled, 0))) item->unpin();
  };
  checkpoint.for_each_item([&](LogItem& item) {
    const Lsn at = item.committed(start);
    if (at == kNoLsn) return;  // it may be gone
    if (at != start) {
      LogItem* const one = &item;
      if (!config.knock_out.ail) ail.insert({&one, 1}, at);
      item.unpin();
      return;
    }
    batch[filled++] = &item;
    if (filled == batch.size()) insert_batch();
  });
  insert_batch();
  const Lsn commit_lsn = checkpoint.commit_lsn;
  cil->retire(checkpoint);
  count(Counter::commits);
  Lsn head_before;
  {
    const MutexLock lock(tail_mutex);
    head_before = std::exchange(ail_head, commit_lsn);
  }
  update_tail();
  grants.give_back(geometry.distance(head_before, commit_lsn));
  if (tail_pusher != nullptr && (tail_is_late() || grants.anyone_waits())) tail_pusher->kick();
}

void Log::Core::update_tail() {
  uint64_t space_bytes = 0;
  {
    const MutexLock lock(tail_mutex);
    Lsn tail = ail_head;
    // A checkpoint that has begun and is not complete will put its items where it began.
    if (const Lsn start = cil == nullptr ? kNoLsn : cil->lowest_start(); start != kNoLsn) tail = std::min(tail, start);
    if (const Lsn lowest = ail.lowest(); lowest != kNoLsn) tail = std::min(tail, lowest);
    tail = std::max(tail, tail_lsn.load(std::memory_order_relaxed));
    tail_lsn.store(tail, std::memory_order_release);
    space_bytes = tail < ail_head ? geometry.distance(tail, ail_head) : 0;
    grants.set_tail_space(space_bytes);
  }
}

bool Log::Core::tail_is_late() const {
  const Lsn now = tail();
  const Lsn head = ring->head();
  return now < head && geometry.distance(now, head) > geometry.ring_bytes() / 4 * 3;
}

Lsn Log::Core::tail_target() const {
  const Lsn head = ring->head();
  const auto keep_blocks = static_cast<uint32_t>(uint64_t{geometry.ring_blocks} * 3 / 4);
  // `keep_blocks` before the head: a turn back and the rest forward.
  return geometry.advance(make_lsn(lsn_cycle(head) - 1, lsn_block(head)), geometry.ring_blocks - keep_blocks);
}

Result<void> Log::Core::force(uint64_t sequence) {
  stats.forces.add();
  DAXLAB_ASSIGN(const Lsn lsn, cil->push_through(sequence));
  if (lsn == kNoLsn) {
    stats.forces_idle.add();
    return {};
  }
  DAXLAB_TRY(ring->force(lsn));
  if (shut_down.load(std::memory_order_acquire)) return Errc::kIo;
  return {};
}

bool Log::Core::make_space() {
  const auto state = [this] { return std::pair(tail(), grants.reserved_bytes()); };
  const auto before = state();
  ail.push(UINT64_MAX);
  if (!force(UINT64_MAX).ok()) return false;
  ail.push(UINT64_MAX);
  return state() != before;
}

Result<void> Log::Core::write_lone_record(uint8_t op_flags) {
  struct {
    OpHeaderDisk op;
    uint32_t what[2];
  } lone = {{.checkpoint = 0, .size_bytes = 8, .client = kOpClient, .flags = op_flags, .zero = 0}, {0x6e55, 0}};  // "Un"
  static_assert(sizeof lone == kOpHeaderBytes + 8);
  DAXLAB_ASSIGN(Ticket ticket, grants.reserve(static_cast<uint32_t>(log_unit_bytes(sizeof lone, geometry)), 1));
  LogWriter writer(*ring, stats, 0, ticket);
  Lsn lsn = kNoLsn;
  DAXLAB_TRY(writer.begin(sizeof lone, [&lsn](Iclog& iclog) { lsn = iclog.lsn; }));
  DAXLAB_TRY(writer.add({reinterpret_cast<std::byte*>(&lone), sizeof lone}));
  writer.end();
  return ring->force(lsn);
}

void Log::Core::shutdown() {
  if (shut_down.exchange(true)) return;
  ring->shutdown();
  grants.shutdown();
  cil->shutdown();
}

}  // namespace daxlab::xfslike
