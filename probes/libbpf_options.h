// libbpf's option structs, zeroed and sized: LIBBPF_OPTS without the GNU extensions it is made of.
#pragma once

#include <cstring>

namespace daxlab::probes {

template <typename Options>
Options libbpf_options() {
  Options options;
  std::memset(&options, 0, sizeof options);
  options.sz = sizeof options;
  return options;
}

}  // namespace daxlab::probes
