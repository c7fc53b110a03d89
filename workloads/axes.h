// The axes that several workloads share, so that a name means one thing everywhere.
#pragma once

#include <cstdint>
#include <string>

#include "engines/base/random.h"
#include "workloads/workload.h"

namespace daxlab::axes {

AxisSpec block_bytes();  ///< 64 B to 4 MiB, a power of two, default 4KiB.
AxisSpec file_size(const std::string& default_value = "32MiB");
AxisSpec population();                             ///< Names a directory holds, default 10000.
AxisSpec order(const std::string& default_value);  ///< seq, random.
AxisSpec sharing();                                ///< private: a file or directory a thread; shared: one for all.

/// kUsage unless block_bytes is a power of two and file_size a multiple of it.
Result<void> check_blocks(const Params& params);

}  // namespace daxlab::axes

namespace daxlab {

/// Which block an operation goes to. A pure function of seed and count, so that verify() can replay it.
class BlockOrder {
 public:
  BlockOrder(bool random, uint64_t blocks, uint64_t seed) : random_(random), blocks_(blocks), generator_(seed) {}

  uint64_t next() {
    if (random_) return generator_.below(blocks_);
    const uint64_t block = next_;
    next_ = block + 1 == blocks_ ? 0 : block + 1;
    return block;
  }

 private:
  bool random_;
  uint64_t blocks_;
  uint64_t next_ = 0;
  Random generator_;
};

}  // namespace daxlab
