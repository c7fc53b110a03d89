// The log of one inode: a chain of 4 KiB pages of self-validating records. Appending is how everything in native becomes durable.
//
// A record is valid if and only if its checksum (seeded with file system, inode, generation) is right, its sequence number is that of its
// place in the log, and its epoch is not below its predecessor's. Records written together form a group, which holds if its last
// record is valid; the caller's fence after append() is the commit. See DESIGN.md for the proof that nothing stale validates.
//
// Invariants:
//   1. tail_line is in 1..64 and every line before it in the tail page is part of a valid record.
//   2. Pages of the chain have ordinals head_ordinal, head_ordinal + 1, ... tail_ordinal.
//   3. log_pages[block].live counts the DRAM references to the records of a page (data pages, names, the attributes, the state).
//
// Threads: the owner's inode lock, exclusively. append() allocates nothing from the heap.
#pragma once

#include <cstdint>
#include <span>

#include "engines/base/result.h"
#include "engines/native/volume.h"

namespace daxlab::native {

struct Inode;

/// A record to append: built in `lines` (header type, flags other than kFirst and kLast, aux, payload); the log fills in the rest.
struct Record {
  Line* lines = nullptr;
  uint32_t count = 1;
  uint32_t page = 0;  ///< Out: the log page it went to.
};

struct LogState {
  uint32_t head_block = 0;  ///< 0: the inode has no log yet.
  uint32_t tail_block = 0;
  uint32_t spare_block = 0;  ///< Allocated ahead; on no list of the medium.
  uint32_t head_ordinal = 0;
  uint32_t tail_ordinal = 0;
  uint32_t tail_line = kBlockLines;
  uint32_t attributes_page = 0;  ///< Log page of the last kAttributes record; 0: none.
  uint32_t state_page = 0;       ///< Log page of the last record that changed size or times; 0: none.
  uint32_t compact_pages = 1;    ///< Length of the log after it was last cleaned through.
  uint32_t pass_end = 0;         ///< While cleaning: the ordinal up to which pages are rewritten.
  uint32_t said_lines = 0;       ///< Lines of what was said again in this pass.
  uint32_t said_records = 0;     ///< Of the head page: its first ones, of which nothing holds any more.
  uint32_t looked_half = 0;      ///< Half of a tail page at which the cleaner last asked whether there is work.
  bool in_pass = false;

  void begin_pass() {
    in_pass = true;
    pass_end = tail_ordinal;
    said_lines = 0;
  }
  uint32_t pages() const { return head_block == 0 ? 0 : tail_ordinal - head_ordinal + 1; }
};

/// Appends a group. On return its lines are on their way to the medium; it holds once the caller has fenced (and committed, for a
/// transaction). kNoSpace changes nothing.
Result<void> log_append(Volume& volume, Inode& inode, std::span<Record> group, Urgency urgency = Urgency::kNormal);

/// Makes sure that a record of `lines` lines can be appended without asking for space. False: there is none.
bool log_reserve(Volume& volume, Inode& inode, uint32_t lines, Urgency urgency);

/// Allocates the next page if the log will soon need one, outside the critical path.
void log_prepare_spare(Volume& volume, Inode& inode);

/// Drops up to `most` pages at the head that nothing refers to: the next page becomes the head, durably, then the blocks are free.
/// Returns how many; never the last page.
uint32_t log_drop_heads(Volume& volume, Inode& inode, uint32_t most);

/// References from DRAM to the record of a log page (invariant 3).
inline void log_hold(Volume& volume, uint32_t page, uint32_t by = 1) { volume.log_pages[page].live += by; }
inline void log_release(Volume& volume, uint32_t page, uint32_t by = 1) {
  DAXLAB_DCHECK(volume.log_pages[page].live >= by);
  volume.log_pages[page].live -= by;
}
/// Moves the attribute and state references to the page of the record that now says what they are.
void log_hold_state(Volume& volume, LogState& log, uint32_t page, bool attributes);

/// The last 8 bytes of what is left, at a place where a log ends, of a record that a crash cut there; null where nothing is left of one. They
/// are to be zeroed durably before another record goes there: words that both have in common would complete the one that did not happen.
/// Both are needed for that, the header, with its epoch, and the tail, with its checksum: a new record has others. `epoch`: of the record before.
uint64_t* cut_record(const Volume& volume, uint32_t block, uint32_t line, uint32_t sequence, uint32_t epoch);

inline uint32_t record_sequence(uint32_t ordinal, uint32_t line) { return ordinal * kLinesPerLogPage + line - 1; }

}  // namespace daxlab::native
