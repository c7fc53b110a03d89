#include "engines/base/no_alloc_zone.h"

namespace daxlab {

constinit thread_local int t_no_alloc_depth = 0;

// Weak: the interposers bring their own.
[[gnu::weak]] bool no_alloc_zone_enforced() { return false; }

}  // namespace daxlab
