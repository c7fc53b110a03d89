#include "harness/guest/crash_job.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <unordered_set>

#include "engines/base/mark.h"
#include "engines/base/random.h"
#include "engines/base/units.h"
#include "engines/crash/exercise.h"
#include "engines/crash/oracle.h"
#include "engines/pmem/crash_images.h"
#include "harness/guest/cell.h"
#include "harness/guest/crash_batch.h"
#include "harness/guest/crash_trace.h"
#include "harness/guest/marks.h"
#include "harness/process.h"
#include "harness/results.h"

namespace daxlab::harness {
namespace {

constexpr size_t kFindingsMax = 50;  // told in full; the others are counted
constexpr double kCheckerSeconds = 300;

Error system_error(const std::string& what) { return {Errc::kIo, fmt::format("{}: {}", what, std::strerror(errno))}; }

struct Sequence {
  std::vector<crash::Op> setup;
  crash::History history;
};

Result<Sequence> sequence_of(const Json& task) {
  Sequence sequence;
  DAXLAB_ASSIGN(sequence.setup, crash::parse_ops(task["setup"].text()));
  DAXLAB_ASSIGN(std::vector<crash::Op> ops, crash::parse_ops(task["ops"].text()));
  crash::Tree tree;
  for (const crash::Op& op : sequence.setup) DAXLAB_TRY(crash::apply(tree, op));
  sequence.history = crash::History::of(std::move(tree), std::move(ops));
  return sequence;
}

Result<EngineSpec> kernel_at(const std::string& folder) { return parse_engine("posix:path=" + folder); }

Result<void> write_device(const std::string& device, std::span<const std::byte> bytes) {
  const Fd fd(::open(device.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
  if (!fd) return system_error(device);
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t put = ::pwrite(fd.get(), bytes.data() + at, std::min<size_t>(bytes.size() - at, kMiB), static_cast<off_t>(at));
    if (put <= 0) return system_error(device);
    at += static_cast<size_t>(put);
  }
  return {};
}

Result<Json> fill(const Json& task) {
  const BatchWriter empty(foreign_bytes(task["size_bytes"].u64()));
  DAXLAB_ASSIGN(const BatchReader reader, BatchReader::open(empty.file()));
  DAXLAB_TRY(write_device(task["device"].text(), reader.bytes()));
  return Json::object().set("status", "ok");
}

// --- record

Result<void> apply_like_model(Engine& engine, crash::HeldFiles& held, const crash::Op& op, crash::Tree& model) {
  const Result<void> kernel = crash::apply(engine, held, op);
  const Result<void> expected = crash::apply(model, op);
  if (kernel.ok() == expected.ok()) return {};
  return Error(Errc::kCorrupt, fmt::format("'{}': the kernel says '{}', the model '{}'", op.to_string(),
                                           kernel.ok() ? "done" : kernel.error().message(),
                                           expected.ok() ? "done" : expected.error().message()));
}

Result<Json> record(const Json& task) {
  DAXLAB_ASSIGN(const Sequence sequence, sequence_of(task));
  DAXLAB_TRY(check_dax(task["path"].text()));
  DAXLAB_ASSIGN(const EngineSpec spec, kernel_at(task["path"].text()));
  DAXLAB_TRY(spec.type->format(nullptr, spec.options));
  DAXLAB_ASSIGN(const std::unique_ptr<Engine> engine, spec.type->mount(nullptr, spec.options));
  crash::HeldFiles held;
  crash::Tree model;
  for (const crash::Op& op : sequence.setup) DAXLAB_TRY(apply_like_model(*engine, held, op, model));
  DAXLAB_TRY(engine->sync());
  mark<marks::kTraceBegin>();
  for (const crash::Op& op : sequence.history.ops) {
    mark<marks::kOpBegin>();
    const Result<void> done = apply_like_model(*engine, held, op, model);
    mark<marks::kOpEnd>();
    DAXLAB_TRY(done);
  }
  mark<marks::kTraceEnd>();
  held.by_path.clear();
  DAXLAB_ASSIGN(const crash::Tree tree, crash::capture(*engine));
  const std::string wrong = crash::difference(sequence.history.trees.back(), tree);
  if (!wrong.empty()) return Error(Errc::kCorrupt, "without a crash: " + wrong);
  DAXLAB_TRY(engine->unmount());
  return Json::object().set("status", "ok").set("operations", sequence.history.ops.size());
}

// --- images

/// Walks every image; `visit` is told each one that no earlier one of its operation was equal to.
template <typename Visit>
void distinct_images(pmem::CrashImages& images, const Visit& visit) {
  std::set<std::pair<uint64_t, uint64_t>> seen;
  while (images.next()) {
    const crash::CrashPoint point{images.finished().size(), !images.running().empty()};
    if (seen.emplace(images.digest(), 2 * point.finished + (point.under_way ? 1 : 0)).second) visit(point);
  }
}

/// Negative control: what a kernel without this kind of instruction would have left.
void leave_out(pmem::Trace& trace, const std::string& what) {
  if (what == "fences") std::erase_if(trace.events, [](const auto& e) { return e.kind == pmem::Event::Kind::kFence; });
}

Json summary_of(const pmem::Trace& trace) {
  using Kind = pmem::Event::Kind;
  Json json = Json::object();
  const auto count = [&](const char* name, Kind kind) {
    json.set(name, std::ranges::count(trace.events, kind, &pmem::Event::kind));
  };
  count("stores", Kind::kStore);
  count("streamed", Kind::kStream);
  count("flushes", Kind::kFlush);
  count("fences", Kind::kFence);
  return json;
}

Result<Json> images(const Json& task) {
  DAXLAB_ASSIGN(const auto events, read_bytes(task["trace"].text() + ".events"));
  DAXLAB_ASSIGN(auto base, read_bytes(task["trace"].text() + ".base"));
  const Ordering ordering = task["ordering"].text() == "locked" ? Ordering::kLocked : Ordering::kFences;
  DAXLAB_ASSIGN(pmem::Trace trace, trace_of(events, ordering));
  Json result = Json::object();
  result.set("trace", summary_of(trace));
  leave_out(trace, task["leave_out"].text());
  DAXLAB_ASSIGN(const std::unique_ptr<pmem::Region> region, pmem::Region::for_test(base.size()));
  std::memcpy(region->bytes().data(), base.data(), base.size());
  pmem::CrashOptions options;
  options.seed = task["seed"].u64(1);
  options.images_per_point = static_cast<uint32_t>(task["images_per_point"].u64(48));
  pmem::CrashImages walk(trace, *region, base, options);
  uint64_t distinct = 0;
  distinct_images(walk, [&](crash::CrashPoint) { ++distinct; });
  walk.rewind();
  const uint64_t wanted = std::min(distinct, task["limit"].u64(distinct));
  BatchWriter batch(region->bytes());
  uint64_t number = 0;
  distinct_images(walk, [&](crash::CrashPoint point) {  // evenly spread
    if (number * wanted / distinct != (number + 1) * wanted / distinct) batch.add({walk.id(), point}, region->bytes());
    ++number;
  });
  DAXLAB_TRY(write_file_durably(task["out"].text(), {reinterpret_cast<const char*>(batch.file().data()), batch.file().size()}));
  return result.set("status", "ok").set("points", walk.point_count()).set("distinct", distinct).set("images", batch.count());
}

// --- judge

/// A mounted device; unmounted at the end whatever happened.
class Mounted {
 public:
  Mounted(const std::string& device, const std::string& point, const std::string& type, const std::string& options)
      : point_(point), failed_(::mount(device.c_str(), point.c_str(), type.c_str(), 0, options.c_str()) != 0), error_(errno) {}
  ~Mounted() {
    if (!failed_) ::umount2(point_.c_str(), MNT_DETACH);
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  std::string why_not() const { return failed_ ? std::strerror(error_) : ""; }
  std::string unmount() {
    if (::umount2(point_.c_str(), 0) != 0) return std::strerror(errno);
    failed_ = true;
    return {};
  }

 private:
  const std::string point_;
  bool failed_;
  int error_;
};

struct Judge {
  const Json& task;
  const Sequence& sequence;
  EngineSpec spec;
  std::unordered_set<uint64_t> trees{};
  uint64_t judged = 0;
  uint64_t checked = 0;
  uint64_t wrong_count = 0;
  Json findings = Json::array();

  std::string judge_mounted(crash::CrashPoint point) {
    auto engine = spec.type->mount(nullptr, spec.options);
    if (!engine.ok()) return engine.error().message();
    const auto tree = crash::capture(**engine);
    if (!tree.ok()) return "after recovery: " + tree.error().message();
    trees.insert(tree->hash());
    crash::Allowed allowed = crash::allowed_after_crash(sequence.history, spec.type->traits(spec.options), point);
    allowed.torn_words = true;
    std::string wrong = crash::judge(sequence.history, allowed, *tree);
    if (wrong.empty()) wrong = crash::exercise(**engine, *tree);
    const auto unmounted = (*engine)->unmount();
    return wrong.empty() && !unmounted.ok() ? unmounted.error().message() : wrong;
  }

  /// The file system's own opinion of the device.
  std::string check() {
    ++checked;
    std::vector<std::string> words;
    for (const Json& word : task["checker"].elements()) words.push_back(word.text());
    auto child = Child::start(words.front(), {words.begin() + 1, words.end()}, {});
    if (!child.ok()) return child.error().message();
    const Ending ending = child->wait(kCheckerSeconds, [] { return true; });
    return ending.kind == Ending::Kind::kExit && ending.code == 0 ? "" : fmt::format("{} {}", words.front(), ending.describe());
  }

  std::string judge(const BatchImage& image, std::span<const std::byte> bytes) {
    const std::string device = task["device"].text();
    if (const auto written = write_device(device, bytes); !written.ok()) return written.error().message();
    {
      Mounted mounted(device, task["mount_point"].text(), task["type"].text(), task["mount_options"].text());
      if (const std::string why = mounted.why_not(); !why.empty()) return "mount: " + why;
      std::string wrong = judge_mounted(image.point);
      if (wrong.empty()) wrong = mounted.unmount();
      if (!wrong.empty()) return wrong;
    }
    const uint64_t share = task["check_share"].u64();
    return share != 0 && judged % share == 0 ? check() : "";
  }

  void add(const BatchImage& image, std::span<const std::byte> bytes) {
    const std::string wrong = judge(image, bytes);
    ++judged;
    if (wrong.empty()) return;
    if (++wrong_count > kFindingsMax) return;
    const size_t at = std::min(image.point.finished, sequence.history.ops.size() - 1);
    const std::string where = (image.point.under_way ? "in '" : "before '") + sequence.history.ops[at].to_string() + "'";
    findings.push(Json::object().set("image", image.id).set("where", where).set("what", wrong));
  }
};

Result<Json> judge(const Json& task) {
  DAXLAB_ASSIGN(const Sequence sequence, sequence_of(task));
  DAXLAB_ASSIGN(EngineSpec spec, kernel_at(task["mount_point"].text()));
  DAXLAB_ASSIGN(const auto file, read_bytes(task["batch"].text()));
  DAXLAB_ASSIGN(BatchReader batch, BatchReader::open(file));
  Judge judge{task, sequence, std::move(spec)};
  for (;;) {
    DAXLAB_ASSIGN(const auto image, batch.next());
    if (!image) break;
    judge.add(*image, batch.bytes());
  }
  Json trees = Json::array();
  for (const uint64_t hash : judge.trees) trees.push(fmt::format("{:016x}", hash));
  Json result = Json::object();
  result.set("status", "ok").set("judged", judge.judged).set("checked", judge.checked).set("wrong", judge.wrong_count);
  return result.set("trees", std::move(trees)).set("findings", std::move(judge.findings));
}

}  // namespace

Result<Json> run_crash_step(const Json& task) {
  const std::string step = task["do"].text();
  if (step == "fill") return fill(task);
  if (step == "record") return record(task);
  if (step == "images") return images(task);
  if (step == "judge") return judge(task);
  return Error(Errc::kUsage, fmt::format("'{}' is no step: fill, record, images, judge", step));
}

}  // namespace daxlab::harness
