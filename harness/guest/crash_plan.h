// What `daxlab exact --crash` does to the kernel file systems of a plan: sequences of operations, and how many images of each.
#pragma once

#include <string>

#include "engines/base/result.h"
#include "harness/guest/plan.h"
#include "harness/json.h"

namespace daxlab::harness {

/// The launcher's `crash` object (crash.py): at least `images_text` images of each file system. kUsage where it is no number or the plan
/// has no file system.
Result<Json> crash_plan_json(const GuestPlan& plan, const std::string& images_text);

}  // namespace daxlab::harness
