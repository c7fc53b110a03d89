// What an x86-64 instruction means to the counts, from its bytes alone. Header-only and free of QEMU, so that a test can ask it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum insn_kind {
  INSN_OTHER,
  INSN_FLUSH,         // clwb, clflushopt, clflush: one line written back
  INSN_FENCE,         // sfence, mfence
  INSN_NON_TEMPORAL,  // movnti, movntdq, movntps, movntq and their VEX forms
  INSN_RETURN,        // ret
  INSN_TAIL_JUMP,     // jmp rel8 or rel32; `jump` is its displacement from the next instruction
};

struct insn_facts {
  enum insn_kind kind;
  bool locked;  // a LOCK prefix, or xchg with memory
  int mark;     // number of a phase mark (engines/base/mark.h); -1: none
  int32_t jump;
};

// NOP [rax + disp32], displacement 0x44580000 | number: base/mark.h.
static inline int mark_number(const uint8_t *bytes, size_t size) {
  if (size != 7 || bytes[0] != 0x0f || bytes[1] != 0x1f || bytes[2] != 0x80) return -1;
  if (bytes[6] != 0x44 || bytes[5] != 0x58) return -1;
  return bytes[3] | bytes[4] << 8;
}

// What stands for clwb [rax] in the kernel of a traced guest (kernel.py puts it there): cmp byte [rax], 0 behind a DS prefix, as long as
// clwb. QEMU's clwb accesses nothing, so that no plugin sees its address; the kernel compiles no such instruction.
static const uint8_t shown_flush[4] = {0x3e, 0x80, 0x38, 0x00};
static inline bool is_shown_flush(const uint8_t *bytes, size_t size) {
  return size == sizeof(shown_flush) && memcmp(bytes, shown_flush, sizeof(shown_flush)) == 0;
}

static inline bool is_legacy_prefix(uint8_t byte) {
  switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
      return true;
    default:
      return false;
  }
}

// Opcodes of the 0f map that store past the cache: movntps/movntpd, movntq/movntdq, movnti (not in VEX).
static inline bool is_non_temporal(uint8_t opcode, bool vex) {
  return opcode == 0x2b || opcode == 0xe7 || (opcode == 0xc3 && !vex);
}

// Group 15, 0f ae /r: fences by register form, write-backs by memory form.
static inline enum insn_kind group_15(uint8_t modrm, bool operand_size) {
  const int reg = modrm >> 3 & 7;
  if (modrm >> 6 == 3) return reg == 7 || (reg == 6 && !operand_size) ? INSN_FENCE : INSN_OTHER;
  return reg == 7 || (reg == 6 && operand_size) ? INSN_FLUSH : INSN_OTHER;
}

static inline struct insn_facts classify(const uint8_t *bytes, size_t size) {
  struct insn_facts facts = {INSN_OTHER, false, mark_number(bytes, size), 0};
  if (facts.mark >= 0) return facts;
  size_t at = 0;
  bool operand_size = false;
  bool repeat = false;
  for (; at < size && is_legacy_prefix(bytes[at]); ++at) {
    operand_size |= bytes[at] == 0x66;
    repeat |= bytes[at] == 0xf3 || bytes[at] == 0xf2;
    facts.locked |= bytes[at] == 0xf0;
  }
  if (at < size && (bytes[at] & 0xf0) == 0x40) ++at;  // REX
  if (at >= size) return facts;
  const uint8_t opcode = bytes[at];
  const size_t left = size - at;
  if (opcode == 0xc3 || (opcode == 0xc2 && left >= 3)) {
    facts.kind = INSN_RETURN;
  } else if (opcode == 0xe9 && left >= 5) {
    facts.kind = INSN_TAIL_JUMP;
    memcpy(&facts.jump, bytes + at + 1, sizeof(facts.jump));
  } else if (opcode == 0xeb && left >= 2) {
    facts.kind = INSN_TAIL_JUMP;
    facts.jump = (int8_t)bytes[at + 1];
  } else if ((opcode == 0x86 || opcode == 0x87) && left >= 2 && bytes[at + 1] >> 6 != 3) {
    facts.locked = true;
  } else if (opcode == 0xc5 && left >= 3 && is_non_temporal(bytes[at + 2], true)) {
    facts.kind = INSN_NON_TEMPORAL;
  } else if (opcode == 0xc4 && left >= 4 && (bytes[at + 1] & 0x1f) == 1 && is_non_temporal(bytes[at + 3], true)) {
    facts.kind = INSN_NON_TEMPORAL;
  } else if (opcode == 0x0f && left >= 2) {
    if (bytes[at + 1] == 0xae && left >= 3 && !repeat) facts.kind = group_15(bytes[at + 2], operand_size);
    if (is_non_temporal(bytes[at + 1], false)) facts.kind = INSN_NON_TEMPORAL;
  }
  return facts;
}
