#include "harness/trace_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "harness/results.h"
#include "harness/runner.h"

namespace daxlab::harness {
namespace {

void add_histogram(probes::Log2Histogram& sum, const probes::Log2Histogram& more) {
  sum.count += more.count;
  sum.sum += more.sum;
  sum.max = std::max(sum.max, more.max);
  for (size_t i = 0; i < sum.slots.size(); ++i) sum.slots[i] += more.slots[i];
}

std::string histogram_line(const std::string& key, const probes::Log2Histogram& histogram) {
  return fmt::format("\n    {:<18} {:>9} times, mean {} ns, p99 below {} ns, most {} ns", key, histogram.count,
                     histogram.sum / histogram.count, quantile_of(histogram, 0.99), histogram.max);
}

}  // namespace

void add_reports(std::vector<probes::ProbeReport>& sum, const std::vector<probes::ProbeReport>& more) {
  for (const probes::ProbeReport& report : more) {
    const auto same = std::find_if(sum.begin(), sum.end(), [&](const auto& r) { return r.name == report.name; });
    if (same == sum.end()) {
      sum.push_back(report);
      continue;
    }
    for (const auto& [key, count] : report.counts) same->counts[key] += count;
    for (const auto& [key, histogram] : report.histograms) add_histogram(same->histograms[key], histogram);
    same->lost += report.lost;
  }
}

uint64_t quantile_of(const probes::Log2Histogram& histogram, double fraction) {
  const auto wanted = static_cast<uint64_t>(fraction * static_cast<double>(histogram.count));
  uint64_t seen = 0;
  for (size_t i = 0; i < histogram.slots.size(); ++i) {
    seen += histogram.slots[i];
    if (seen > wanted || seen == histogram.count) return std::min(uint64_t{2} << i, std::max<uint64_t>(histogram.max, 1));
  }
  return histogram.max;
}

std::string summary_of(const std::vector<probes::ProbeReport>& reports) {
  std::string text;
  for (const probes::ProbeReport& report : reports) {
    text += fmt::format("{:<16}", report.name);
    if (!report.skipped.empty()) {
      text += fmt::format(" skipped: {}\n", report.skipped);
      continue;
    }
    std::string counts;
    for (const auto& [key, count] : report.counts) {
      if (count != 0) counts += fmt::format(" {}={}", key, count);
    }
    text += counts.empty() ? " nothing seen" : counts;
    if (report.lost != 0) text += fmt::format(" LOST={}", report.lost);
    for (const auto& [key, histogram] : report.histograms) {
      if (histogram.count != 0) text += histogram_line(key, histogram);
    }
    text += "\n";
  }
  return text;
}

namespace {

Json complete_event(const std::string& name, const char* category, uint64_t thread, double start_us, double length_us) {
  Json event = Json::object();
  event.set("name", name).set("cat", category).set("ph", "X").set("pid", 1).set("tid", thread);
  return event.set("ts", start_us).set("dur", length_us);
}

Json names_process(const std::string& title) {
  Json event = Json::object();
  Json arguments = Json::object();
  event.set("name", "process_name").set("ph", "M").set("pid", 1);
  return event.set("args", arguments.set("name", title));
}

double us_between(uint64_t from_ns, uint64_t to_ns) { return (static_cast<double>(to_ns) - static_cast<double>(from_ns)) / 1e3; }

std::string folded(const std::vector<probes::FoldedStack>& stacks) {
  std::string text;
  for (const probes::FoldedStack& stack : stacks) text += fmt::format("{} {}\n", stack.frames, stack.weight);
  return text;
}

Result<void> write_unless_empty(const std::string& path, const std::string& text) {
  if (text.empty()) return {};
  return write_file_durably(path, text);
}

}  // namespace

Json chrome_timeline(const Json& phases, const std::vector<probes::RecordedSpan>& spans, const std::string& title) {
  Json::Array events{names_process(title)};
  uint64_t start_ns = UINT64_MAX;
  if (!phases.elements().empty()) start_ns = phases.elements().front()["begin_ns"].u64();
  if (!spans.empty()) start_ns = std::min(start_ns, spans.front().begun_ns);
  for (const Json& phase : phases.elements()) {
    const uint64_t begin_ns = phase["begin_ns"].u64();
    events.push_back(complete_event(phase["phase"].text(), "phase", 0, us_between(start_ns, begin_ns),
                                    us_between(begin_ns, phase["end_ns"].u64())));
  }
  for (const probes::RecordedSpan& span : spans) {
    events.push_back(complete_event(span.name, "span", span.tid, us_between(start_ns, span.begun_ns),
                                    static_cast<double>(span.duration_ns) / 1e3));
  }
  Json timeline = Json::object();
  return timeline.set("traceEvents", std::move(events)).set("displayTimeUnit", "ns");
}

Result<void> write_trace(const std::string& folder, const TraceFiles& files) {
  const std::string trace = folder + "/trace";
  std::error_code error;
  std::filesystem::create_directories(trace, error);
  if (error) return Error(Errc::kUsage, fmt::format("{}: cannot make this folder: {}", trace, error.message()));
  Json json = Json::object();
  json.set("schema", kSchemaVersion).set("about", files.about);
  Json probes = Json::object();
  for (const probes::ProbeReport& report : files.reports) probes.set(report.name, probe_json(report));
  json.set("probes", std::move(probes)).set("lost_in_recording", files.recorded.lost);
  DAXLAB_TRY(write_file_durably(trace + "/probes.json", json.dump(true) + "\n"));
  DAXLAB_TRY(write_unless_empty(trace + "/on_cpu.folded", folded(files.recorded.on_cpu)));
  DAXLAB_TRY(write_unless_empty(trace + "/off_cpu.folded", folded(files.recorded.off_cpu)));
  if (files.timeline.is_null()) return {};
  return write_file_durably(trace + "/timeline.json", files.timeline.dump() + "\n");
}

}  // namespace daxlab::harness
