#include "engines/xfslike/log.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "engines/base/check.h"
#include "engines/xfslike/log_core.h"
#include "engines/xfslike/recovery.h"

namespace daxlab::xfslike {

namespace {

/// v3. What a crash cut at the head must not become whole by equal words of the next record in its place, when that is cut too: of an
/// earlier mount's records only this one has the sequence that comes next.
// Order: the anchor, which may have named what the head has come to, is durable at the tail; the head's first block; fence. It lies
// behind the head before and after.
void clear_cut(LogPlacement& placement, const LogGeometry& geometry, Lsn tail, Lsn head) {
  if (geometry.distance(tail, head) >= geometry.ring_bytes()) return;
  alignas(64) const std::byte nothing[kBasicBlockBytes] = {};
  placement.write(lsn_block(head), 1, nothing);
  placement.sync();
}

}  // namespace

Log::Log(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Log::~Log() = default;

// Order: zeroes over all of it, which are cycle 0 and no record; the first record (v3: and an anchor to it); fence.
Result<void> Log::create(LogPlacement& placement, const LogConfig& config) {
  DAXLAB_ASSIGN(const LogGeometry geometry, log_geometry(config, placement.blocks()));
  constexpr uint32_t kSome = 128;
  const std::vector<std::byte> zeroes(size_t{kSome} * kBasicBlockBytes);
  for (uint32_t block = 0; block < placement.blocks(); block += kSome)
    placement.write(block, std::min(kSome, placement.blocks() - block), zeroes.data());
  placement.sync();
  LogConfig alone = config;
  alone.background_threads = false;
  Core core(placement, alone, geometry);
  const Lsn first = make_lsn(1, 0);
  if (config.format == LogFormat::kV3) AnchorWriter(placement, geometry, {}).write(first, 0);
  DAXLAB_TRY(core.start({first, 0, 1, 0}, first, first, 1));
  return core.write_lone_record(kOpUnmount);
}

Result<std::unique_ptr<Log>> Log::mount(LogPlacement& placement, const LogConfig& config, ReplaySink& sink) {
  DAXLAB_ASSIGN(const LogGeometry geometry, log_geometry(config, placement.blocks()));
  auto core = std::make_unique<Core>(placement, config, geometry);
  Recovery recovery(placement, geometry, sink);
  DAXLAB_TRY(recovery.run());
  const RecoveredLog& found = recovery.found();
  core->recovered = found.summary;
  if (config.format == LogFormat::kV3) {
    core->anchors = std::make_unique<AnchorWriter>(placement, geometry, found.anchor);
    core->anchors->write(found.tail, found.start.epoch);
    clear_cut(placement, geometry, found.tail, found.summary.head);
  }
  DAXLAB_TRY(core->start(found.start, found.tail, found.last_record, found.next_sequence));
  for (const auto& [item, lsn] : recovery.intents()) core->ail.insert({&item, 1}, lsn);
  // The next recovery must know how many records may be in flight, and of what size, before they are.
  if (!found.same_window) DAXLAB_TRY(core->write_lone_record(0));
  return std::unique_ptr<Log>(new Log(std::move(core)));
}

Result<Ticket> Log::reserve(uint32_t unit_bytes, uint32_t count) {
  if (is_shut_down()) return Errc::kIo;
  const uint64_t unit = log_unit_bytes(unit_bytes, core_->geometry);
  if (unit > core_->geometry.ring_bytes() / 2) return Error(Errc::kNoSpace, "a transaction of more than half the log");
  if (!core_->config.background_threads && core_->tail_is_late()) push_tail();
  return core_->grants.reserve(static_cast<uint32_t>(unit), count);
}

Result<void> Log::regrant(Ticket& ticket) { return core_->grants.regrant(ticket); }

uint64_t Log::commit(Ticket& ticket, std::span<LogItem* const> items, After after) {
  return core_->cil->commit(ticket, items, after == After::kRoll);
}

Result<void> Log::force(uint64_t sequence) {
  if (is_shut_down()) return Errc::kIo;
  return core_->force(sequence);
}

Result<void> Log::force_all() { return force(UINT64_MAX); }

uint64_t Log::current_sequence() const { return core_->cil->current_sequence(); }
uint64_t Log::durable_sequence() const { return core_->cil->durable_sequence(); }

Ail& Log::ail() { return core_->ail; }

void Log::push_tail() {
  const TailPusher::Hooks hooks{[this] { return core_->tail_is_late() ? core_->tail_target() : kNoLsn; }, [] { return false; },
                                [this] { static_cast<void>(core_->force(UINT64_MAX)); }};
  const Ail::Pass pass = TailPusher::pass(core_->ail, core_->stats, hooks);
  if (pass.pinned > 0) TailPusher::pass(core_->ail, core_->stats, hooks);
}

Result<void> Log::quiesce() {
  constexpr int kTries = 3;  // without any progress
  for (int fruitless = 0; fruitless < kTries; ++fruitless) {
    DAXLAB_TRY(force_all());
    const size_t before = core_->ail.size();
    if (before == 0 && core_->cil->current_is_empty()) return {};
    core_->ail.push(UINT64_MAX);
    if (core_->ail.size() < before || core_->config.background_threads) fruitless = -1;
    if (core_->config.background_threads) std::this_thread::yield();
  }
  return Errc::kBusy;
}

Result<void> Log::unmount() {
  DAXLAB_TRY(quiesce());
  return core_->write_lone_record(kOpUnmount);
}

void Log::shutdown() { core_->shutdown(); }
bool Log::is_shut_down() const { return core_->shut_down.load(std::memory_order_acquire); }

Lsn Log::tail_lsn() const { return core_->tail(); }
Lsn Log::head_lsn() const { return core_->ring->head(); }
uint64_t Log::size_bytes() const { return core_->geometry.ring_bytes(); }
uint64_t Log::free_bytes() const { return core_->grants.free_bytes(); }
const LogConfig& Log::config() const { return core_->config; }
const LogStats& Log::stats() const { return core_->stats; }
const Log::Recovered& Log::recovered() const { return core_->recovered; }

}  // namespace daxlab::xfslike
