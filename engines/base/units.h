// Sizes and how people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engines/base/result.h"

namespace daxlab {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

inline constexpr uint64_t kCacheLineBytes = 64;    ///< Unit of flushing on x86.
inline constexpr uint64_t kBlockBytes = 4 * kKiB;  ///< Unit of allocation and of a small page table entry.
inline constexpr uint64_t kHugeBytes = 2 * kMiB;   ///< Unit of a huge page table entry.

constexpr uint64_t align_down(uint64_t value, uint64_t unit) { return value / unit * unit; }
constexpr uint64_t align_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }
constexpr uint64_t div_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit; }

/// "4096", "4KiB", "2MiB", "1GiB" (also K, M, G, KB...: all binary). kUsage with the text named otherwise.
Result<uint64_t> parse_size(std::string_view text);
/// The shortest exact form: 4096 -> "4KiB", 1000 -> "1000".
std::string format_size(uint64_t size_bytes);

}  // namespace daxlab
