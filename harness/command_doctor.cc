// daxlab doctor: what this machine can do and what it lacks, one line each with the remedy.
#include <fmt/format.h>

#include "harness/cli.h"
#include "harness/doctor.h"
#include "harness/json.h"

namespace daxlab::harness {
namespace {

Result<int> run_doctor(const Arguments& arguments) {
  const std::vector<Finding> findings = diagnose();
  if (arguments.has("--json")) {
    Json all = Json::array();
    for (const Finding& finding : findings) {
      Json json = Json::object();
      json.set("group", finding.group).set("name", finding.name).set("available", finding.available);
      all.push(std::move(json.set("detail", finding.detail).set("remedy", finding.remedy)));
    }
    fmt::print("{}\n", all.dump(true));
    return kExitDone;
  }
  size_t lacking = 0;
  for (const Finding& finding : findings) {
    if (!finding.available) ++lacking;
    fmt::print("{:<6}{:<13} {}: {}{}{}\n", finding.available ? "ok" : "lacks", finding.group, finding.name, finding.detail,
               finding.remedy.empty() ? "" : "; ", finding.remedy);
  }
  fmt::print("{} of {} facilities are there; a run goes on without the others and says so in its records\n",
             findings.size() - lacking, findings.size());
  return kExitDone;
}

const RegisterCommand kRegistered{{
    .name = "doctor",
    .purpose = "shows what this machine can do and what it lacks, one line each with the remedy",
    .options = {{"--json", "", "the same as a JSON array"}},
    .examples = {"daxlab doctor", "daxlab doctor --json"},
    .notes = "Changes nothing. Exit code 0 whatever is lacking.",
    .order = 6,
    .run = run_doctor,
}};

}  // namespace
}  // namespace daxlab::harness
