#include "engines/native/inode_log.h"

#include "engines/base/account.h"
#include "engines/base/counters.h"
#include "engines/native/inode.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

RecordHeaderDisk* header_of(Record& record) { return reinterpret_cast<RecordHeaderDisk*>(record.lines->bytes.data()); }

/// Pages beyond the tail page that the group needs.
uint32_t pages_needed(const LogState& log, std::span<const Record> group) {
  uint32_t line = log.head_block == 0 ? kBlockLines : log.tail_line;
  uint32_t pages = 0;
  for (const Record& record : group) {
    if (line + record.count > kBlockLines) {
      ++pages;
      line = 1;
    }
    line += record.count;
  }
  return pages;
}

/// Takes `count` blocks and chains them through LogPageInfo::next; 0 when there is no space.
uint32_t reserve_pages(Volume& volume, LogState& log, uint32_t count, Urgency urgency) {
  uint32_t first = 0;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t block = log.spare_block;
    log.spare_block = 0;
    if (block == 0) block = volume.allocator.allocate(1, 0, urgency).block;
    if (block == 0) {
      while (first != 0) {
        const uint32_t next = volume.log_pages[first].next;
        volume.allocator.free({first, 1});
        first = next;
      }
      return 0;
    }
    volume.log_pages[block] = {0, first};
    first = block;
  }
  return first;
}

void store_pointer(uint64_t* word, uint64_t value) {
  pmem::store_commit(word, value);
  pmem::flush(word, sizeof *word);
}

void write_record(Volume& volume, Inode& inode, std::byte* lines, uint32_t count) {
  LogState& log = inode.log;
  {
    const AccountScope scope(Phase::kCrc);
    seal_record(lines, count, record_sequence(log.tail_ordinal, log.tail_line), inode.seed);
  }
  const AccountScope scope(Phase::kLogWrite);
  pmem::stream(volume.address(log.tail_block) + log.tail_line * kLineBytes, lines, count * kLineBytes);
  daxlab::count(Counter::log_bytes, count * kLineBytes);
  log.tail_line += count;
}

/// A page that was to be this one when a crash cut its first group, and came back by way of free space. Order: the tail of what is left of a
/// record, flush, fence; only then the new page.
void forget_cut_record(Volume& volume, uint32_t block, uint32_t ordinal) {
  uint64_t* const tail = cut_record(volume, block, 1, record_sequence(ordinal, 1), 0);
  if (DAXLAB_LIKELY(tail == nullptr)) return;
  pmem::store_commit(tail, 0);
  pmem::persist(tail, sizeof *tail);
}

/// Makes `block` the tail page: its header, then whatever points to it. Neither needs to be durable before the records in it are: a
/// crash that keeps a part of this leaves a log that ends where it ended before.
void enter_page(Volume& volume, Inode& inode, uint32_t block) {
  LogState& log = inode.log;
  const bool first = log.head_block == 0;
  const uint32_t ordinal = first ? 0 : log.tail_ordinal + 1;
  forget_cut_record(volume, block, ordinal);
  Line line{};
  LogPageDisk page{};
  page.magic = kLogPageMagic;
  page.ino = inode.ino;
  page.generation = inode.generation;
  page.ordinal = ordinal;
  page.crc = log_page_crc(page, inode.seed);
  std::memcpy(&line, &page, sizeof page);
  pmem::stream(volume.address(block), &line, sizeof line);
  const uint64_t pointer = seal_pointer(block, inode.seed, ordinal);
  if (first) {
    store_pointer(&inode.slot->head, pointer);
    log.head_block = block;
    log.head_ordinal = 0;
  } else {
    if (log.tail_line < kBlockLines) {
      Line skip{};
      const RecordHeaderDisk header{static_cast<uint8_t>(RecordType::kSkip), 0, 1, 0, volume.epoch};
      std::memcpy(&skip, &header, sizeof header);
      write_record(volume, inode, skip.bytes.data(), 1);
    }
    store_pointer(&volume.disk<LogPageDisk>(log.tail_block, 0)->next, pointer);
    volume.log_pages[log.tail_block].next = block;
  }
  volume.log_pages[block] = {0, 0};
  log.tail_block = block;
  log.tail_ordinal = ordinal;
  log.tail_line = 1;
  daxlab::count(Counter::log_bytes, kLineBytes);
}

}  // namespace

uint64_t* cut_record(const Volume& volume, uint32_t block, uint32_t line, uint32_t sequence, uint32_t epoch) {
  std::byte* const from = volume.address(block) + line * kLineBytes;
  RecordHeaderDisk header;
  pmem::load_bytes(&header, from, sizeof header);
  if (header.lines == 0 || header.lines > kBlockLines - line || header.epoch < epoch) return nullptr;
  auto* const tail_word = reinterpret_cast<uint64_t*>(from + header.lines * kLineBytes) - 1;
  const uint64_t word = pmem::load(tail_word);
  RecordTailDisk tail;
  static_assert(sizeof tail == sizeof word);
  std::memcpy(&tail, &word, sizeof tail);
  return word != 0 && tail.sequence == sequence ? tail_word : nullptr;
}

// Order: page headers, pointers to them and records in any order; the caller's fence. A group counts once all of its records are
// durable, because each checks itself and the last carries kLast; before, recovery stops in front of the group.
Result<void> log_append(Volume& volume, Inode& inode, std::span<Record> group, Urgency urgency) {
  LogState& log = inode.log;
  const uint32_t needed = pages_needed(log, group);
  uint32_t fresh = 0;
  if (DAXLAB_UNLIKELY(needed != 0)) {
    fresh = reserve_pages(volume, log, needed, urgency);
    if (fresh == 0) return Errc::kNoSpace;
  }
  for (size_t i = 0; i < group.size(); ++i) {
    Record& record = group[i];
    RecordHeaderDisk* const header = header_of(record);
    DAXLAB_DCHECK(record.count >= 1 && record.count <= kLinesPerLogPage);
    header->lines = static_cast<uint8_t>(record.count);
    header->epoch = volume.epoch;
    if (i == 0) header->flags |= kFirst;
    if (i + 1 == group.size()) header->flags |= kLast;
    if (log.head_block == 0 || log.tail_line + record.count > kBlockLines) {
      const uint32_t block = fresh;
      fresh = volume.log_pages[block].next;
      enter_page(volume, inode, block);
    }
    write_record(volume, inode, record.lines->bytes.data(), record.count);
    record.page = log.tail_block;
  }
  DAXLAB_CHECK(fresh == 0);
  daxlab::count(Counter::commits);
  return {};
}

bool log_reserve(Volume& volume, Inode& inode, uint32_t lines, Urgency urgency) {
  LogState& log = inode.log;
  const bool fits = log.head_block != 0 && log.tail_line + lines <= kBlockLines;
  if (!fits && log.spare_block == 0) log.spare_block = volume.allocator.allocate(1, 0, urgency).block;
  return fits || log.spare_block != 0;
}

void log_prepare_spare(Volume& volume, Inode& inode) {
  LogState& log = inode.log;
  if (log.spare_block == 0 && log.tail_line > kBlockLines - 8) log.spare_block = volume.allocator.allocate(1, 0).block;
}

// Order: the head word, 8 bytes; flush; fence; only then may the pages be used again. What they said that still holds was said
// again, durably, before.
uint32_t log_drop_heads(Volume& volume, Inode& inode, uint32_t most) {
  LogState& log = inode.log;
  const uint32_t first = log.head_block;
  uint32_t dropped = 0;
  uint32_t head = first;
  while (dropped < most && head != log.tail_block && volume.log_pages[head].live == 0) {
    head = volume.log_pages[head].next;
    ++dropped;
  }
  if (dropped == 0) return 0;
  store_pointer(&inode.slot->head, seal_pointer(head, inode.seed, log.head_ordinal + dropped));
  pmem::fence();
  log.head_block = head;
  log.head_ordinal += dropped;
  log.said_records = 0;
  for (uint32_t block = first; block != head;) {
    const uint32_t next = volume.log_pages[block].next;
    volume.log_pages[block] = {0, 0};
    volume.allocator.free({block, 1});
    block = next;
  }
  return dropped;
}

void log_hold_state(Volume& volume, LogState& log, uint32_t page, bool attributes) {
  if (log.state_page != page) {
    if (log.state_page != 0) log_release(volume, log.state_page);
    log.state_page = page;
    log_hold(volume, page);
  }
  if (attributes && log.attributes_page != page) {
    if (log.attributes_page != 0) log_release(volume, log.attributes_page);
    log.attributes_page = page;
    log_hold(volume, page);
  }
}

}  // namespace daxlab::native
