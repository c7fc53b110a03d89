#include "engines/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace daxlab {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "daxlab: invariant broken at %s:%d: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace daxlab
