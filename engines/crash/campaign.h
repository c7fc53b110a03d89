// A campaign: suites of sequences explored on several engines within a budget, on several processes, summed up.
//
// The recorder and the clock of a recording are the process's own, so parallel work is done by forked workers; sequences are
// dealt by their first operation, so that states shared by sequences with a common beginning are judged once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engines/api/registry.h"
#include "engines/base/result.h"
#include "engines/crash/explorer.h"

namespace daxlab::crash {

struct CampaignOptions {
  std::vector<EngineSpec> engines;
  std::vector<std::string> suites = {"seq1", "edge", "seq2", "fuzz"};  ///< "fuzz": seeded random sequences until the budget ends.
  double budget_s = 60;                                                ///< In all, shared evenly by the engines.
  uint32_t workers = 1;
  ExplorerOptions explorer;
};

struct EngineOutcome {
  EngineSpec engine;
  Statistics statistics;
  std::vector<Violation> violations;
  uint64_t sequences_planned = 0;  ///< Of seq1, edge and seq2; what was not reached is said.
};

/// What a campaign tells and asks while it runs, on the thread that runs it. Each may be empty.
struct CampaignWatch {
  /// Now and then: the sums so far of the engine being explored.
  std::function<void(const EngineSpec&, const Statistics&, double seconds_left)> progress;
  std::function<void(const Violation&)> found;  ///< At the end of the sequence that it was found in.
  /// At least once a second; true ends the campaign, whose outcomes are then what was found until then: those of the engines
  /// that were begun.
  std::function<bool()> stop;
};

Result<std::vector<EngineOutcome>> run_campaign(const CampaignOptions& options, const CampaignWatch& watch);

/// A violation as one line that replays it: "engine|model|seed|setup|ops|image".
std::string replay_id(const Violation& violation, const ExplorerOptions& options);
/// Judges it again: empty if there is no violation any more. kUsage for a line that is none.
Result<std::string> replay(std::string_view id);

}  // namespace daxlab::crash
