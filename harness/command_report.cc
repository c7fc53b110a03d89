// daxlab report and daxlab compare: the Python side, with its arguments handed on.
#include "harness/analysis.h"
#include "harness/cli.h"

namespace daxlab::harness {
namespace {

Result<int> report(const Arguments& arguments) {
  std::vector<std::string> words{"report"};
  for (const std::string& folder : arguments.all("DIR")) words.push_back(folder);
  if (arguments.has("--out")) words.insert(words.end(), {"--out", arguments.get("--out")});
  return run_analysis(words, false);
}

Result<int> compare(const Arguments& arguments) {
  return run_analysis({"compare", arguments.get("A"), arguments.get("B")}, false);
}

const RegisterCommand kReport{{
    .name = "report",
    .purpose = "draws figures and verdicts of runs into one self-contained HTML page",
    .options = {{"DIR", "DIR", "folders of runs", true, true}, {"--out", "FILE", "the page (default DIR/report.html)"}},
    .examples = {"daxlab report results/reference/quick", "daxlab report results/a results/b --out both.html"},
    .notes = "",
    .passes_on = false,
    .order = 2,
    .run = report,
}};

const RegisterCommand kCompare{{
    .name = "compare",
    .purpose = "compares two runs cell by cell: better, worse, same or ambiguous",
    .options = {{"A", "A", "folder of the base run", true}, {"B", "B", "folder of the other run", true}},
    .examples = {"daxlab compare results/before results/after", "daxlab compare results/reference/quick results/mine"},
    .notes = "Exit code 0: none worse, 1: one is worse, 4: ambiguous.",
    .passes_on = false,
    .order = 3,
    .run = compare,
}};

}  // namespace
}  // namespace daxlab::harness
