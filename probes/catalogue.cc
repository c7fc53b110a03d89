#include "probes/loader.h"

namespace daxlab::probes {

std::vector<ProbeInfo> catalogue() {
  return {
#include "probes/catalogue.inc"
  };
}

}  // namespace daxlab::probes
