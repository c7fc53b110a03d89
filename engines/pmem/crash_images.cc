#include "engines/pmem/crash_images.h"

#include <charconv>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "engines/base/check.h"
#include "engines/pmem/crash_choice.h"
#include "engines/pmem/crash_plan.h"
#include "engines/pmem/in_flight.h"
#include "engines/pmem/store_tracker.h"

namespace daxlab::pmem {

struct CrashImages::State {
  State(const Trace& recorded, Region& where, std::span<std::byte> durable, const CrashOptions& wanted)
      : trace(recorded),
        region(where.bytes()),
        base(durable),
        options(wanted),
        in_flight(recorded, wanted.model, durable, where.bytes()),
        tracker(where) {}

  /// Makes the region equal to the base again, wherever the image or what ran on it changed it.
  void undo() {
    for (const uint64_t line : tracker.take()) {
      const uint64_t at = line * kCacheLineBytes;
      std::memcpy(region.data() + at, base.data() + at, kCacheLineBytes);
    }
    image.reset();
  }

  void put(detail::Choice choice) {
    digest = in_flight.digest();
    uint32_t rank = 0;
    for (const auto& [number, line] : in_flight.lines()) {
      const detail::LineChoice line_choice = choice.of(rank++);
      if (line_choice.full == 0 && line_choice.next_words == 0 && line_choice.stream_words == 0 && !line.holds_back()) continue;
      const detail::LineBytes before = in_flight.base_line(number);
      detail::LineBytes bytes = before;
      line.apply(trace, line_choice, bytes);
      if (bytes == before) continue;
      digest ^= detail::InFlight::hash(number, before) ^ detail::InFlight::hash(number, bytes);
      std::memcpy(region.data() + number * kCacheLineBytes, bytes.data(), kCacheLineBytes);
      tracker.add(number * kCacheLineBytes, kCacheLineBytes);
    }
    image = std::move(choice);
  }

  bool next_point() {
    plan.reset();
    started = true;
    at_end = !in_flight.advance();
    return !at_end;
  }

  void rewind() {
    undo();
    in_flight.rewind();
    plan.reset();
    started = false;
    at_end = false;
  }

  const Trace& trace;
  std::span<std::byte> region;
  std::span<std::byte> base;
  CrashOptions options;
  detail::InFlight in_flight;
  detail::StoreTracker tracker;
  std::unordered_set<uint64_t> reads;
  std::optional<detail::CrashPlan> plan;
  std::optional<detail::Choice> image;  // what is in place
  uint64_t digest = 0;
  bool started = false;
  bool at_end = false;
  bool released = false;  // restore_final() gave the region back
};

CrashImages::CrashImages(const Trace& trace, Region& region, std::span<std::byte> base, const CrashOptions& options)
    : state_(std::make_unique<State>(trace, region, base, options)) {}

CrashImages::~CrashImages() {
  if (!state_->released) state_->rewind();
}

bool CrashImages::next() {
  State& s = *state_;
  DAXLAB_CHECK(!s.released);
  s.undo();
  if (s.at_end) return false;
  while (true) {
    if (s.plan) {
      if (auto choice = s.plan->next()) {
        s.put(*std::move(choice));
        return true;
      }
    }
    if (!s.next_point()) return false;
    s.plan.emplace(s.in_flight, s.options, s.reads);
  }
}

std::string CrashImages::id() const {
  DAXLAB_CHECK(state_->image.has_value());
  return std::to_string(state_->in_flight.point()) + '/' + state_->image->to_string();
}

Result<void> CrashImages::apply(std::string_view id) {
  State& s = *state_;
  DAXLAB_CHECK(!s.released);
  uint64_t point = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), point);
  if (error != std::errc{} || end == id.data() + id.size() || *end != '/') {
    return Error(Errc::kUsage, "'" + std::string(id) + "' is no image: POINT/IMAGE is wanted, as 17/all");
  }
  const std::string_view rest = id.substr(static_cast<size_t>(end - id.data()) + 1);
  s.undo();
  s.plan.reset();
  if (s.at_end || (s.started && s.in_flight.point() > point)) s.rewind();
  while (!s.started || s.in_flight.point() < point) {
    if (!s.next_point())
      return Error(Errc::kUsage, "image " + std::string(id) + ": the trace has no point " + std::to_string(point));
  }
  DAXLAB_ASSIGN(detail::Choice choice, detail::Choice::parse(rest, s.in_flight.lines().size()));
  s.put(std::move(choice));
  return {};
}

void CrashImages::recovery_reads(std::span<const uint64_t> lines) { state_->reads.insert(lines.begin(), lines.end()); }

void CrashImages::dirtied(uint64_t offset_bytes, uint64_t size_bytes) { state_->tracker.add(offset_bytes, size_bytes); }

uint64_t CrashImages::point() const { return state_->in_flight.point(); }
bool CrashImages::first_of_point() const { return state_->image && state_->image->kind == detail::Choice::Kind::kNone; }
size_t CrashImages::event() const { return state_->in_flight.event(); }
std::span<const uint64_t> CrashImages::running() const { return state_->in_flight.running(); }
std::span<const uint64_t> CrashImages::finished() const { return state_->in_flight.finished(); }
uint32_t CrashImages::in_flight_lines() const { return static_cast<uint32_t>(state_->in_flight.lines().size()); }
uint64_t CrashImages::digest() const { return state_->digest; }

void CrashImages::rewind() {
  DAXLAB_CHECK(!state_->released);
  state_->rewind();
}

void CrashImages::restore_final() {
  State& s = *state_;
  s.undo();
  while (s.next_point()) {
  }
  detail::Choice all;
  all.kind = detail::Choice::Kind::kAll;
  s.put(std::move(all));
  // The base goes back to what it was, the region keeps the end.
  std::vector<std::pair<uint64_t, detail::LineBytes>> kept = s.in_flight.stored_lines(s.region);
  s.tracker.take();
  s.in_flight.rewind();
  for (const auto& [line, bytes] : kept) std::memcpy(s.region.data() + line * kCacheLineBytes, bytes.data(), kCacheLineBytes);
  s.image.reset();
  s.released = true;
}

uint64_t CrashImages::point_count() const {
  const State& s = *state_;
  const bool by_store = s.options.model == CrashModel::kEadr;
  uint64_t points = 0;
  bool last = false;
  for (const Event& event : s.trace.events) {
    const bool stores = event.kind == Event::Kind::kStore || event.kind == Event::Kind::kStream;
    last = event.kind == Event::Kind::kOpEnd || (by_store && stores);
    if (last || event.kind == Event::Kind::kFence) ++points;
  }
  return last ? points : points + 1;
}

}  // namespace daxlab::pmem
