// daxlab calibrate: this machine's floors as a table.
#include <fmt/format.h>

#include "harness/calibrate.h"
#include "harness/cli.h"

namespace daxlab::harness {
namespace {

Result<int> run_calibrate(const Arguments& arguments) {
  const Calibration calibration = calibrate(arguments.has("--quick") ? CalibrationExtent::kQuick : CalibrationExtent::kFull);
  fmt::print("{}", arguments.has("--json") ? calibration_json(calibration).dump(true) + "\n" : calibration_table(calibration));
  return kExitDone;
}

const RegisterCommand kRegistered{{
    .name = "calibrate",
    .purpose = "measures this machine's floors: copy, flush, fence, fault, map, shootdown, probe costs",
    .options = {{"--quick", "", "only what every run records (1-2 s)"}, {"--json", "", "as it stands in environment.json"}},
    .examples = {"daxlab calibrate", "daxlab calibrate --quick --json"},
    .notes = "Needs memory for four times the last-level cache. What cannot be measured here is named with the reason.",
    .order = 7,
    .run = run_calibrate,
}};

}  // namespace
}  // namespace daxlab::harness
