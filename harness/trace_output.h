// What a trace session leaves: probes.json (counts and histograms), timeline.json (Chrome and Perfetto read it), and a summary
// for people.
#pragma once

#include <string>
#include <vector>

#include "engines/base/result.h"
#include "harness/json.h"
#include "probes/loader.h"
#include "probes/recording.h"

namespace daxlab::harness {

/// Adds what `more` saw to `sum`: the reports of one session cut into slices.
void add_reports(std::vector<probes::ProbeReport>& sum, const std::vector<probes::ProbeReport>& more);

/// One line a probe: counts that are not zero, and of each histogram count, mean and maximum.
std::string summary_of(const std::vector<probes::ProbeReport>& reports);

/// The value v such that `fraction` of the recorded ones are below: the upper edge of the slot it falls in.
uint64_t quantile_of(const probes::Log2Histogram& histogram, double fraction);

/// Chrome's trace event format: an event for each phase in `phases` (as child.h's timeline; may be empty) and for each recorded
/// span.
Json chrome_timeline(const Json& phases, const std::vector<probes::RecordedSpan>& spans, const std::string& title);

/// What goes into the files of a trace.
struct TraceFiles {
  std::vector<probes::ProbeReport> reports;
  Json about = Json::object();  ///< What was traced, and its in-process numbers.
  Json timeline;                ///< Null: no file.
  probes::Recorded recorded;
};

/// Writes FOLDER/trace/{probes.json, timeline.json, on_cpu.folded, off_cpu.folded}, each if there is something to write; kIo.
Result<void> write_trace(const std::string& folder, const TraceFiles& files);

}  // namespace daxlab::harness
