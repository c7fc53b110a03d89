#include "engines/crash/explorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "engines/base/clock.h"
#include "engines/base/random.h"
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

/// A mount of a crash image, and what was done behind it.
struct Recovery {
  pmem::Trace trace;
  History after;  ///< One operation on the tree that the mount found.
};

std::vector<std::string> file_paths(const Tree& tree) {
  std::vector<std::string> paths;
  const std::function<void(NodeNumber, const std::string&)> walk = [&](NodeNumber number, const std::string& path) {
    const Node& node = tree.nodes.at(number);
    if (node.kind == NodeKind::kFile) paths.push_back(path);
    for (const auto& [name, child] : node.names) walk(child, path + "/" + name);
  };
  walk(Tree::kRoot, "");
  return paths;
}

/// An operation that builds on what was recovered, by `choice`.
Op op_after_recovery(const Tree& tree, uint64_t choice) {
  constexpr uint64_t kContent = 5000;
  const std::string fresh = "/made-after-recovery";
  std::vector<Op> fitting = {{OpKind::kCreate, fresh}};
  for (const std::string& path : file_paths(tree)) {
    for (Op op : {Op{OpKind::kMappedStore, path, {}, 0, 200, kContent}, Op{OpKind::kWrite, path, {}, 100, 64, kContent},
                  Op{OpKind::kWrite, path, {}, 0, kBlockBytes, kContent}, Op{OpKind::kAppend, path, {}, 0, 100, kContent},
                  Op{OpKind::kRename, path, fresh}, Op{OpKind::kUnlink, path}, Op{OpKind::kTruncate, path, {}, 5000}}) {
      Tree trial = tree;
      if (apply(trial, op).ok()) fitting.push_back(std::move(op));
    }
  }
  return fitting[choice % fitting.size()];
}

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
  void count(const Sequence& sequence, CrashPoint point, bool in_recovery);
  std::string explore_image(const Sequence& sequence, const History& history, pmem::CrashImages& images, std::string& inner);
  std::string crash_recovery(const Sequence& sequence, const History& history, CrashPoint point, std::string& inner);
  Result<Recovery> record_recovery();
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

void Explorer::State::count(const Sequence& sequence, CrashPoint point, bool in_recovery) {
  ++statistics.states;
  if (in_recovery) ++statistics.states_in_recovery;
  if (point.under_way) ++statistics.states_under_way;
  if (sequence.ops.size() > 1) ++statistics.states_multi;
  const size_t current = point.under_way || point.finished == 0 ? point.finished : point.finished - 1;
  if (current < sequence.ops.size()) ++statistics.states_by_kind[static_cast<size_t>(sequence.ops[current].kind)];
}

Result<Recording> Explorer::State::record(const Sequence& sequence) {
  return is_format(sequence) ? sequences->record_format() : sequences->record(sequence);
}

/// Mounts the copy once more under the recorder and does one operation.
Result<Recovery> Explorer::State::record_recovery() {
  Recovery recovery;
  HeldFiles held;
  pmem::Recorder recorder(*recovery_region);
  DAXLAB_ASSIGN(const auto mounted, engine.type->mount(recovery_region.get(), engine.options));
  DAXLAB_ASSIGN(Tree tree, capture(*mounted));
  Op op = op_after_recovery(tree, Random::mix(tree.hash(), options.seed));
  recovery.after = History::of(std::move(tree), {op});
  recorder.op_begin(0);
  DAXLAB_TRY(apply(*mounted, held, op));
  recorder.op_end(0);
  recovery.trace = recorder.take();
  return recovery;
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

/// The image in `region` again, this time cut while it is being recovered.
std::string Explorer::State::crash_recovery(const Sequence& sequence, const History& history, CrashPoint point,
                                            std::string& inner) {
  const auto image = region->bytes();
  recovery_base.assign(image.begin(), image.end());
  std::memcpy(recovery_region->bytes().data(), recovery_base.data(), recovery_base.size());
  const auto recovery = record_recovery();
  if (!recovery.ok()) return "mount: " + recovery.error().message();
  const uint64_t op_hash = std::hash<std::string>{}(recovery->after.ops.front().to_string());
  pmem::CrashImages images(recovery->trace, *recovery_region, recovery_base, image_options(options.recovery_images_max));
  for (size_t i = 0; i < options.recovery_images_max && images.next(); ++i) {
    ++statistics.images;
    const CrashPoint at = point_of(images);
    const uint64_t progress = at.finished * 2 + (at.under_way ? 1 : 0);
    const uint64_t digest = progress == 0 ? images.digest() : Random::mix(images.digest(), op_hash ^ progress);
    if (!first_time(sequence, digest, point)) continue;
    count(sequence, point, true);
    inner = images.id();
    const std::string wrong = judge_recovery(history, point, *recovery, images);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string Explorer::State::explore_image(const Sequence& sequence, const History& history, pmem::CrashImages& images,
                                           std::string& inner) {
  const CrashPoint point = point_of(images);
  count(sequence, point, false);
  const bool may_be_refused = is_format(sequence) && point.finished == 0;
  if (!may_be_refused && options.recovery_share != 0 && Random::mix(images.digest(), 1) % options.recovery_share == 0) {
    const std::string wrong = crash_recovery(sequence, history, point, inner);
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
  while (Clock::now() < deadline && images.next()) {
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
  const auto bytes = state.region->bytes();
  state.recovery_base.assign(bytes.begin(), bytes.end());
  std::memcpy(state.recovery_region->bytes().data(), state.recovery_base.data(), state.recovery_base.size());
  DAXLAB_ASSIGN(const Recovery recovery, state.record_recovery());
  pmem::CrashImages inner(recovery.trace, *state.recovery_region, state.recovery_base,
                          state.image_options(state.options.recovery_images_max));
  DAXLAB_TRY(inner.apply(std::string_view(image).substr(plus + 1)));
  return state.judge_recovery(recording.history, point_of(images), recovery, inner);
}

}  // namespace daxlab::crash
