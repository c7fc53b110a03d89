#include "workloads/mapped.h"

#include <numeric>
#include <utility>

#include "engines/base/random.h"

namespace daxlab {

std::vector<uint32_t> page_order(bool random, uint64_t count, uint64_t seed) {
  std::vector<uint32_t> pages(count);
  std::iota(pages.begin(), pages.end(), 0u);
  if (!random) return pages;
  Random generator(seed);
  for (uint64_t left = count; left > 1; --left) std::swap(pages[left - 1], pages[generator.below(left)]);
  return pages;
}

AxisSpec axes::access() {
  return {.name = "access",
          .kind = AxisSpec::Kind::kEnum,
          .values = {"write", "read"},
          .min = 0,
          .max = 0,
          .default_value = "write",
          .help = "how a mapped page is touched: an 8-byte store or load"};
}

}  // namespace daxlab
