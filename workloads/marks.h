// Numbers of the marks (base/mark.h) that a step sets where it holds operations of more than one class, so that an
// instruction-level observer can tell them apart. A mark opens its class; kClassEnd closes the last one.
#pragma once

#include <cstdint>

namespace daxlab::marks {

inline constexpr uint32_t kClassEnd = 0x100;
inline constexpr uint32_t kClassCreate = 0x101;
inline constexpr uint32_t kClassUnlink = 0x102;
inline constexpr uint32_t kClassFsync = 0x103;

}  // namespace daxlab::marks
