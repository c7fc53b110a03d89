// Numbers of the marks (engines/base/mark.h) by which a cell tells the counting plugin what it does; classes of operations within
// a step have theirs in workloads/marks.h. plugin/count.c reads both.
#pragma once

#include <cstdint>

namespace daxlab::harness::marks {

inline constexpr uint32_t kCell = 0x200;      ///< A cell begins; cells are numbered in this order.
inline constexpr uint32_t kStep = 0x201;      ///< One measured operation begins.
inline constexpr uint32_t kReset = 0x202;     ///< A worker's reset() begins.
inline constexpr uint32_t kDeferred = 0x203;  ///< What the operations left to be done: the engine's sync().
inline constexpr uint32_t kOutside = 0x204;   ///< Nothing is counted from here on.
inline constexpr uint32_t kMedium = 0x205;    ///< The next access of user space is to the first byte of the mapped medium.

// For a recording of stores (plugin/trace.h).
inline constexpr uint32_t kTraceBegin = 0x206;
inline constexpr uint32_t kTraceEnd = 0x207;
inline constexpr uint32_t kOpBegin = 0x208;  ///< Operations are numbered from 0 in each recording.
inline constexpr uint32_t kOpEnd = 0x209;

}  // namespace daxlab::harness::marks
