#include "probes/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "probes/loader.h"

namespace daxlab::probes {

Result<std::vector<std::string>> wanted_names(const std::vector<std::string>& asked) {
  std::vector<std::string> all;
  std::vector<std::string> wanted;
  for (const auto& probe : catalogue()) {
    all.push_back(probe.name);
    if (asked.empty() && probe.by_default) wanted.push_back(probe.name);
  }
  for (const auto& name : asked) {
    if (std::find(all.begin(), all.end(), name) == all.end()) {
      return Error(Errc::kUsage, fmt::format("unknown probe \"{}\"; there are: {}", name, fmt::join(all, ", ")));
    }
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) wanted.push_back(name);
  }
  return wanted;
}

}  // namespace daxlab::probes
