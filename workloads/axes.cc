#include "workloads/axes.h"

#include <fmt/core.h>

#include <bit>

#include "engines/base/units.h"

namespace daxlab::axes {

AxisSpec block_bytes() {
  return {.name = "block_bytes",
          .kind = AxisSpec::Kind::kSize,
          .values = {},
          .min = 64,
          .max = 4 * kMiB,
          .default_value = "4KiB",
          .help = "bytes that one operation moves, a power of two"};
}

AxisSpec file_size(const std::string& default_value) {
  return {.name = "file_size",
          .kind = AxisSpec::Kind::kSize,
          .values = {},
          .min = 64 * kKiB,
          .max = 1024 * kGiB,
          .default_value = default_value,
          .help = "size of a file, or of a thread's part of a shared one; a multiple of block_bytes"};
}

AxisSpec population() {
  return {.name = "population",
          .kind = AxisSpec::Kind::kInteger,
          .values = {},
          .min = 1,
          .max = 100'000'000,
          .default_value = "10000",
          .help = "names in a directory"};
}

AxisSpec order(const std::string& default_value) {
  return {.name = "order",
          .kind = AxisSpec::Kind::kEnum,
          .values = {"seq", "random"},
          .min = 0,
          .max = 0,
          .default_value = default_value,
          .help = "which block is next: the following one, or any with equal chance"};
}

AxisSpec sharing() {
  return {.name = "sharing",
          .kind = AxisSpec::Kind::kEnum,
          .values = {"private", "shared"},
          .min = 0,
          .max = 0,
          .default_value = "private",
          .help = "each thread its own file or directory, or one for all of which each has a part"};
}

Result<void> check_blocks(const Params& params) {
  const uint64_t block = params.integer("block_bytes");
  const uint64_t file = params.integer("file_size");
  if (!std::has_single_bit(block)) {
    return Error(Errc::kUsage, fmt::format("block_bytes={}: not a power of two", params.get("block_bytes")));
  }
  if (file % block != 0 || file < block) {
    return Error(Errc::kUsage, fmt::format("file_size={}: not a multiple of block_bytes={}", params.get("file_size"),
                                           params.get("block_bytes")));
  }
  return {};
}

}  // namespace daxlab::axes
