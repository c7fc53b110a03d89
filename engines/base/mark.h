// Phase marks for an instruction-level observer (a QEMU plugin, a simulator): a NOP with a number in its displacement.
// On hardware it is one instruction that does nothing.
#pragma once

#include <cstdint>

namespace daxlab {

/// 0x0f 0x1f 0x80 disp32 is NOP [rax + disp32]; the displacement is kMarkMagic | id.
inline constexpr uint32_t kMarkMagic = 0x44580000;  // "DX"

/// Marks this point with `Id` (0 to 65535).
template <uint32_t Id>
inline void mark() {
  static_assert(Id < 0x10000);
  asm volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0" ::"i"(kMarkMagic | Id) : "memory");
}

}  // namespace daxlab
