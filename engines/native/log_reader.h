// Reads one inode's log from the medium, believing nothing.
//
// scan() finds where the log ends: the first place without a valid record of the group that belongs there. A log that was cut by
// a crash is told from a damaged one by what follows: behind a cut there is no beginning of another group. The last group may
// also be one that did not happen, because its transaction was not committed or the inode it creates never got its slot. What
// must be undone is returned, not done. for_each() then gives every record up to the end.
//
// Threads: one reader is one thread's; readers of different inodes run side by side.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engines/base/result.h"
#include "engines/native/inode_table.h"
#include "engines/native/volume.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

/// A record in DRAM.
struct LogRecord {
  alignas(8) std::array<std::byte, kRecordBytesMax> bytes;
  uint32_t page = 0;  ///< Block of the log page.

  template <typename Disk>
  Disk as() const {
    Disk disk;
    std::memcpy(&disk, bytes.data(), sizeof disk);
    return disk;
  }
  RecordHeaderDisk header() const { return as<RecordHeaderDisk>(); }
  RecordType type() const { return static_cast<RecordType>(header().type); }
  /// Bytes between a fixed part and the tail.
  size_t room(size_t fixed_bytes) const {
    const size_t whole = header().lines * kLineBytes - sizeof(RecordTailDisk);
    return whole < fixed_bytes ? 0 : whole - fixed_bytes;
  }
};

/// Where a log's pages are and where it ends.
struct LogShape {
  std::vector<uint32_t> pages;  ///< Blocks in order; none: no group holds.
  uint32_t head_ordinal = 0;
  uint32_t tail_line = kBlockLines;
  uint32_t epoch = 0;  ///< Highest seen.
  // What a crash left behind the end, to be undone durably before the log is appended to.
  bool clear_head = false;       ///< The slot's head word names a page without a group.
  bool clear_next = false;       ///< The last page's next word names a page without a group.
  bool rewrite_header = false;   ///< The last page's header never became durable.
  std::vector<uint64_t*> erase;  ///< Last 8 bytes of records that are valid but did not happen.
  uint64_t* left_over =
      nullptr;  ///< Last 8 bytes of what looks like the next record: one that a crash cut, or a former user's of the page.
  bool torn() const { return clear_head || clear_next || rewrite_header || !erase.empty(); }
};

class LogReader {
 public:
  LogReader(const Volume& volume, const InodeTable& table, uint32_t ino, uint32_t generation)
      : volume_(volume), table_(table), ino_(ino), generation_(generation), seed_(inode_seed(volume.seed, ino, generation)) {}

  /// kCorrupt where the log is damaged.
  Result<LogShape> scan(uint64_t head_word);

  /// Calls apply(record) for every record that holds, in order; an error from it ends the reading.
  template <typename Apply>
  Result<void> for_each(const LogShape& shape, Apply apply) {
    for (size_t i = 0; i < shape.pages.size(); ++i) {
      const uint32_t end = i + 1 == shape.pages.size() ? shape.tail_line : kBlockLines;
      for (uint32_t line = 1; line < end;) {
        const std::byte* from = volume_.address(shape.pages[i]) + line * kLineBytes;
        RecordHeaderDisk header;
        pmem::load_bytes(&header, from, sizeof header);
        if (header.type == static_cast<uint8_t>(RecordType::kSkip)) break;
        if (header.lines == 0 || header.lines > kBlockLines - line)
          return damage("changed under the reader", {shape.pages[i], 0, line});
        pmem::load_bytes(record_.bytes.data(), from, header.lines * kLineBytes);
        record_.page = shape.pages[i];
        DAXLAB_TRY(apply(record_));
        line += header.lines;
      }
    }
    return {};
  }

 private:
  struct Place {
    uint32_t block = 0;
    uint32_t ordinal = 0;
    uint32_t line = 1;
  };
  struct Scan;  // of scan()

  bool read_valid(const Place& place, uint32_t epoch);
  bool begins_group(const Place& place, uint32_t epoch);
  bool group_follows(Place place, uint32_t epoch);
  bool page_header(const Place& place, LogPageDisk& page) const;
  Result<Place> first_place(uint64_t head_word) const;
  Result<bool> next_page(Scan& scan);
  Result<void> read_groups(Scan& scan);
  bool last_group_happened(const Scan& scan);
  Result<LogShape> finish(Scan& scan);
  Error damage(const char* what, const Place& place) const;

  const Volume& volume_;
  const InodeTable& table_;
  const uint32_t ino_;
  const uint32_t generation_;
  const uint32_t seed_;
  LogRecord record_;
};

}  // namespace daxlab::native
