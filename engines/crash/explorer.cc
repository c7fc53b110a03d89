#include "engines/crash/explorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

#include "engines/base/clock.h"
#include "engines/base/random.h"
#include "engines/crash/after_recovery.h"
#include "engines/crash/judgement.h"
#include "engines/crash/recording.h"

namespace daxlab::crash {

namespace {

constexpr uint64_t kFrozenTimeNs = 1'700'000'000'000'000'000;  // equal runs give equal images
constexpr uint64_t kMediaBytesMin = 2 * kMiB;

/// Where a recovery read, by line number.
std::vector<uint64_t> lines_read(const pmem::Trace& recovery) {
  std::set<uint64_t> lines;
  for (const pmem::Event& event : recovery.events) {
    if (event.kind != pmem::Event::Kind::kLoad) continue;
    const uint64_t last = (event.offset_bytes + event.size_bytes - 1) / kCacheLineBytes;
    for (uint64_t line = event.offset_bytes / kCacheLineBytes; line <= last; ++line) lines.insert(line);
  }
  return {lines.begin(), lines.end()};
}

CrashPoint point_of(const pmem::CrashImages& images) { return {images.finished().size(), !images.running().empty()}; }

std::string describe(const pmem::CrashImages& images, const Sequence& sequence) {
  const CrashPoint point = point_of(images);
  const auto op_text = [&](size_t index) { return index < sequence.ops.size() ? sequence.ops[index].to_string() : "unmount"; };
  const std::string where = point.under_way       ? "in '" + op_text(point.finished) + "'"
                            : point.finished == 0 ? "before the first operation"
                                                  : "after '" + op_text(point.finished - 1) + "'";
  return fmt::format("{}, {} lines in flight", where, images.in_flight_lines());
}

}  // namespace

Statistics& Statistics::operator+=(const Statistics& other) {
  sequences += other.sequences;
  images += other.images;
  states += other.states;
  states_in_recovery += other.states_in_recovery;
  states_under_way += other.states_under_way;
  states_multi += other.states_multi;
  recovered += other.recovered;
  violations += other.violations;
  for (size_t i = 0; i < kOpKindCount; ++i) states_by_kind[i] += other.states_by_kind[i];
  seconds += other.seconds;
  return *this;
}

namespace {

bool is_format(const Sequence& sequence) { return sequence.setup.empty() && sequence.ops.empty(); }

}  // namespace

struct Explorer::State {
  EngineSpec engine;
  ExplorerOptions options;
  std::unique_ptr<pmem::Region> region;           // recorded on, and where images are
  std::unique_ptr<pmem::Region> recovery_region;  // a copy, for crashes inside recovery
  std::vector<std::byte> recovery_base;
  std::unique_ptr<SequenceRecorder> sequences;
  std::unordered_set<uint64_t> seen;       // (image, operations so far)
  std::unordered_set<uint64_t> recovered;  // trees
  Statistics statistics;
  std::vector<Violation> violations;

  pmem::CrashOptions image_options(size_t images_per_point) const;
  Allowed allowed(const History& history, CrashPoint point) const;
  bool first_time(const Sequence& sequence, uint64_t digest, CrashPoint point);
  Result<Recording> record(const Sequence& sequence);
  void count(const Sequence& sequence, std::span<const Op> ops, CrashPoint point, bool in_recovery);
  std::string explore_image(const Sequence& sequence, const History& history, pmem::CrashImages& images, std::string& inner);
  Result<Recovery> recover_copy(const pmem::CrashImages& image);
  pmem::CrashOptions recovery_image_options(const pmem::Trace& recovery) const;
  std::string crash_recovery(const Sequence& sequence, const History& history, const pmem::CrashImages& image, std::string& inner);
  std::string judge_recovery(const History& history, CrashPoint point, const Recovery& recovery, const pmem::CrashImages& images);
};

Explorer::Explorer() : state_(std::make_unique<State>()) {}

Explorer::~Explorer() { freeze_realtime(0); }

Result<std::unique_ptr<Explorer>> Explorer::create(const EngineSpec& engine, const ExplorerOptions& options) {
  const Traits traits = engine.type->traits(engine.options);
  if (!traits.needs_region || !traits.stores_data) {
    return Error(Errc::kUsage, fmt::format("'{}' keeps nothing on pmem that a crash could damage", engine.type->name()));
  }
  std::unique_ptr<Explorer> explorer(new Explorer);
  State& state = *explorer->state_;
  state.engine = engine;
  for (const OptionSpec& option : engine.type->options()) {
    if (option.name == "background") state.engine.options.set("background", "inline");
    if (option.name == "mmu") state.engine.options.set("mmu", "soft");
  }
  state.options = options;
  const uint64_t size_bytes =
      align_up(std::max({options.media_bytes, engine.type->min_size_bytes(), kMediaBytesMin}), kBlockBytes);
  DAXLAB_ASSIGN(state.region, pmem::Region::for_test(size_bytes));
  DAXLAB_ASSIGN(state.recovery_region, pmem::Region::for_test(size_bytes));
  state.sequences = std::make_unique<SequenceRecorder>(state.engine, *state.region);
  freeze_realtime(kFrozenTimeNs);
  return explorer;
}

const Statistics& Explorer::statistics() const { return state_->statistics; }
const std::vector<Violation>& Explorer::violations() const { return state_->violations; }
const std::unordered_set<uint64_t>& Explorer::recovered_trees() const { return state_->recovered; }

pmem::CrashOptions Explorer::State::image_options(size_t images_per_point) const {
  pmem::CrashOptions image_options;
  image_options.model = options.model;
  image_options.seed = options.seed;
  image_options.images_per_point = static_cast<uint32_t>(images_per_point);
  return image_options;
}

Allowed Explorer::State::allowed(const History& history, CrashPoint point) const {
  return allowed_after_crash(history, engine.type->traits(engine.options), point);
}

/// States are distinct by image and by the operations that led there, as these decide what is allowed.
bool Explorer::State::first_time(const Sequence& sequence, uint64_t digest, CrashPoint point) {
  uint64_t key = Random::mix(digest, point.finished * 2 + (point.under_way ? 1 : 0));
  const size_t begun = std::min(point.finished + (point.under_way ? 1 : 0), sequence.ops.size());
  for (size_t i = 0; i < begun; ++i) key = Random::mix(key, std::hash<std::string>{}(sequence.ops[i].to_string()));
  return seen.insert(key).second;
}

/// `point` is in or behind one of `ops`: those of the sequence, or what was done behind a recovery.
void Explorer::State::count(const Sequence& sequence, std::span<const Op> ops, CrashPoint point, bool in_recovery) {
  ++statistics.states;
  if (in_recovery) ++statistics.states_in_recovery;
  if (point.under_way) ++statistics.states_under_way;
  if (sequence.ops.size() > 1) ++statistics.states_multi;
  const size_t current = point.under_way || point.finished == 0 ? point.finished : point.finished - 1;
  if (current < ops.size()) ++statistics.states_by_kind[static_cast<size_t>(ops[current].kind)];
}

Result<Recording> Explorer::State::record(const Sequence& sequence) {
  return is_format(sequence) ? sequences->record_format() : sequences->record(sequence);
}

/// A crash in the mount leaves what the crash before it may leave; one behind it, what the operation may leave of what was found.
std::string Explorer::State::judge_recovery(const History& history, CrashPoint point, const Recovery& recovery,
                                            const pmem::CrashImages& images) {
  const CrashPoint inner = point_of(images);
  const bool in_mount = inner.finished == 0 && !inner.under_way;
  const History& judged = in_mount ? history : recovery.after;
  const Judgement judgement =
      judge_image(engine, *recovery_region, judged, allowed(judged, in_mount ? point : inner), options.use_everything, false);
  recovered.insert(judgement.tree_hash);
  if (judgement.wrong.empty() || in_mount) return judgement.wrong;
  return fmt::format("{} (with '{}' done after the recovery)", judgement.wrong, recovery.after.ops.front().to_string());
}

/// A copy of the image in `region`, mounted once more under the recorder and used.
Result<Recovery> Explorer::State::recover_copy(const pmem::CrashImages& image) {
  const auto bytes = region->bytes();
  recovery_base.assign(bytes.begin(), bytes.end());
  std::memcpy(recovery_region->bytes().data(), recovery_base.data(), recovery_base.size());
  auto recovery = record_recovery(engine, *recovery_region, Random::mix(image.digest(), options.seed));
  if (recovery.ok() && options.edit_recovery) options.edit_recovery(recovery->trace);
  return recovery;
}

/// Shares the budget of a recovery among its points: a crash at each, behind it as well as in it.
pmem::CrashOptions Explorer::State::recovery_image_options(const pmem::Trace& recovery) const {
  constexpr size_t kImagesPerPointMin = 3;
  const auto points = std::count_if(recovery.events.begin(), recovery.events.end(), [](const pmem::Event& event) {
    return event.kind == pmem::Event::Kind::kFence || event.kind == pmem::Event::Kind::kOpEnd;
  });
  return image_options(std::max(kImagesPerPointMin, options.recovery_images_max / static_cast<size_t>(points)));
}

/// The image in `region` again, this time cut while it is being recovered, or behind that.
std::string Explorer::State::crash_recovery(const Sequence& sequence, const History& history, const pmem::CrashImages& image,
                                            std::string& inner) {
  const CrashPoint point = point_of(image);
  const auto recovery = recover_copy(image);
  if (!recovery.ok()) return "mount, one operation, unmount: " + recovery.error().message();
  const Op& op = recovery->after.ops.front();
  const uint64_t op_hash = std::hash<std::string>{}(op.to_string());
  pmem::CrashImages images(recovery->trace, *recovery_region, recovery_base, recovery_image_options(recovery->trace));
  while (images.next()) {
    ++statistics.images;
    const CrashPoint at = point_of(images);
    const uint64_t progress = at.finished * 2 + (at.under_way ? 1 : 0);
    const uint64_t digest = image.digest() ^ images.digest();  // of the whole: each is a sum over the lines that differ
    if (!first_time(sequence, progress == 0 ? digest : Random::mix(digest, op_hash ^ progress), point)) continue;
    const bool in_mount = progress == 0;
    const std::span ops(in_mount ? sequence.ops : recovery->after.ops);
    count(sequence, in_mount ? ops : ops.first(1), in_mount ? point : at, true);
    inner = images.id();
    const std::string wrong = judge_recovery(history, point, *recovery, images);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string Explorer::State::explore_image(const Sequence& sequence, const History& history, pmem::CrashImages& images,
                                           std::string& inner) {
  const CrashPoint point = point_of(images);
  count(sequence, sequence.ops, point, false);
  const bool may_be_refused = is_format(sequence) && point.finished == 0;
  if (!may_be_refused && options.recovery_share != 0 && Random::mix(images.digest(), 1) % options.recovery_share == 0) {
    const std::string wrong = crash_recovery(sequence, history, images, inner);
    if (!wrong.empty()) return wrong;
  }
  const bool want_loads = images.first_of_point();
  const Judgement judgement = judge_image(engine, *region, history, allowed(history, point), options.use_everything, want_loads);
  recovered.insert(judgement.tree_hash);
  if (want_loads) images.recovery_reads(lines_read(judgement.recovery));
  inner.clear();
  return may_be_refused && judgement.refused ? std::string() : judgement.wrong;
}

Result<void> Explorer::explore_format(Clock::time_point deadline) { return explore(Sequence{"format", {}, {}}, deadline); }

Result<void> Explorer::explore(const Sequence& sequence, Clock::time_point deadline) {
  State& state = *state_;
  const auto began = Clock::now();
  ++state.statistics.sequences;
  const auto violate = [&](std::string image, std::string where, std::string what) {
    ++state.statistics.violations;
    state.violations.push_back({state.engine.to_string(), sequence, std::move(image), std::move(where), std::move(what)});
  };
  auto recording = state.record(sequence);
  if (!recording.ok()) {
    violate("", "while recording", recording.error().message());
    return {};
  }
  if (state.options.edit) state.options.edit(recording->trace);
  std::vector<std::byte> base = state.sequences->base();
  pmem::CrashImages images(recording->trace, *state.region, base, state.image_options(state.options.images_per_point_max));
  const auto time_is_up = [&] { return Clock::now() >= deadline || (state.options.stop && state.options.stop()); };
  while (!time_is_up() && images.next()) {
    ++state.statistics.images;
    if (!state.first_time(sequence, images.digest(), point_of(images))) continue;
    const std::string id = images.id();
    const std::string where = describe(images, sequence);
    std::string inner;
    const std::string wrong = state.explore_image(sequence, recording->history, images, inner);
    if (wrong.empty()) continue;
    violate(inner.empty() ? id : id + "+" + inner, inner.empty() ? where : where + ", then inside its recovery", wrong);
    break;
  }
  state.statistics.recovered = state.recovered.size();
  state.statistics.seconds += std::chrono::duration<double>(Clock::now() - began).count();
  return {};
}

Result<std::string> Explorer::replay(const Sequence& sequence, const std::string& image) {
  State& state = *state_;
  DAXLAB_ASSIGN(const Recording recording, state.record(sequence));
  const size_t plus = image.find('+');
  std::vector<std::byte> base = state.sequences->base();
  pmem::CrashImages images(recording.trace, *state.region, base, state.image_options(state.options.images_per_point_max));
  DAXLAB_TRY(images.apply(std::string_view(image).substr(0, plus)));
  const Allowed allowed = state.allowed(recording.history, point_of(images));
  if (plus == std::string::npos) {
    return judge_image(state.engine, *state.region, recording.history, allowed, state.options.use_everything, false).wrong;
  }
  DAXLAB_ASSIGN(const Recovery recovery, state.recover_copy(images));
  pmem::CrashImages inner(recovery.trace, *state.recovery_region, state.recovery_base,
                          state.recovery_image_options(recovery.trace));
  DAXLAB_TRY(inner.apply(std::string_view(image).substr(plus + 1)));
  return state.judge_recovery(recording.history, point_of(images), recovery, inner);
}

}  // namespace daxlab::crash
