// Which probes a list of names asks for.
#pragma once

#include <string>
#include <vector>

#include "engines/base/result.h"

namespace daxlab::probes {

/// The names themselves, each once; the default set for an empty list. kUsage names the unknown one and what there is.
Result<std::vector<std::string>> wanted_names(const std::vector<std::string>& asked);

}  // namespace daxlab::probes
