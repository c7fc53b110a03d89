#include "engines/native/log_reader.h"

#include <algorithm>

#include <fmt/core.h>

#include "engines/native/inode_log.h"

namespace daxlab::native {

namespace {

/// How far behind a cut the beginning of another group is looked for: the length of a record that is damaged is not known, and nearly
/// all records have fewer lines.
constexpr uint32_t kLinesBehindCut = 8;

bool known(const RecordHeaderDisk& header) {
  return header.type >= static_cast<uint8_t>(RecordType::kSkip) && header.type <= static_cast<uint8_t>(RecordType::kTarget) &&
         (header.flags & ~kKnownFlags) == 0;
}

}  // namespace

struct LogReader::Scan {
  LogShape shape;
  Place at;                   // the next record
  uint32_t groups_in_page = 0;
  size_t groups = 0;
  bool in_group = false;
  Place begin;                // of the group being read
  size_t begin_page = 0;
  uint32_t begin_groups = 0;  // groups in that page before it
  Place last_begin;           // the same of the last whole group
  size_t last_begin_page = 0;
  uint32_t last_begin_groups = 0;
  bool last_uncommitted = false;
  Place end;                  // behind the last whole group
  size_t end_pages = 0;
  uint32_t end_groups = 0;
};

Error LogReader::damage(const char* what, const Place& place) const {
  return Error(Errc::kCorrupt, fmt::format("the log of inode {} is damaged at block {} line {}: {}", ino_, place.block, place.line, what));
}

bool LogReader::read_valid(const Place& place, uint32_t epoch) {
  if (place.line >= kBlockLines) return false;
  const std::byte* from = volume_.address(place.block) + place.line * kLineBytes;
  pmem::load_bytes(record_.bytes.data(), from, kLineBytes);
  const RecordHeaderDisk header = record_.header();
  if (!known(header) || header.lines == 0 || header.lines > kBlockLines - place.line || header.epoch < epoch) return false;
  if (header.lines > 1) pmem::load_bytes(record_.bytes.data() + kLineBytes, from + kLineBytes, (header.lines - 1u) * kLineBytes);
  RecordTailDisk tail;
  const size_t tail_at = header.lines * kLineBytes - sizeof tail;
  std::memcpy(&tail, record_.bytes.data() + tail_at, sizeof tail);
  if (tail.sequence != record_sequence(place.ordinal, place.line)) return false;
  record_.page = place.block;
  return tail.crc == crc32c(record_.bytes.data(), tail_at + sizeof tail.sequence, seed_);
}

bool LogReader::begins_group(const Place& place, uint32_t epoch) {
  return read_valid(place, epoch) && (record_.header().flags & kFirst) != 0;
}

/// Whether the place, where no valid record is, is followed by another group: then it is damaged, not cut.
bool LogReader::group_follows(Place place, uint32_t epoch) {
  const uint32_t end = std::min(place.line + 1 + kLinesBehindCut, kBlockLines);
  for (++place.line; place.line < end; ++place.line) {
    if (begins_group(place, epoch)) return true;
  }
  return false;
}

bool LogReader::page_header(const Place& place, LogPageDisk& page) const {
  page = pmem::load(volume_.disk<LogPageDisk>(place.block, 0));
  return page.magic == kLogPageMagic && page.ino == ino_ && page.generation == generation_ && page.ordinal == place.ordinal &&
         page.crc == log_page_crc(page, seed_);
}

Result<LogReader::Place> LogReader::first_place(uint64_t head_word) const {
  Place place{static_cast<uint32_t>(head_word), 0, 1};
  if (!volume_.plausible(place.block)) return damage("the head word is wrong", place);
  if (pointer_is(head_word, seed_, 0)) return place;
  place.ordinal = pmem::load(volume_.disk<LogPageDisk>(place.block, 0)).ordinal;
  LogPageDisk page;
  if (!pointer_is(head_word, seed_, place.ordinal) || !page_header(place, page)) return damage("the head word is wrong", place);
  return place;
}

// The page is full: goes to the next one if a crash let it come into being, which its first record says.
Result<bool> LogReader::next_page(Scan& scan) {
  LogPageDisk page;
  if (!page_header(scan.at, page)) {
    if (scan.groups_in_page > 1) return damage("its page header is wrong", scan.at);
    return false;
  }
  if (page.next == 0) return false;
  if (!pointer_is(page.next, seed_, scan.at.ordinal + 1)) {
    // Header and first group share a fence: until a second group, the next word may be what was in the block before.
    if (scan.groups_in_page > 1) return damage("the pointer to its next page is wrong", scan.at);
    return false;
  }
  const Place next{static_cast<uint32_t>(page.next), scan.at.ordinal + 1, 1};
  if (!volume_.plausible(next.block)) return damage("its next page is impossible", scan.at);
  if (!read_valid(next, scan.shape.epoch)) {
    if (group_follows(next, scan.shape.epoch)) return damage("a record is wrong", next);
    return false;
  }
  scan.shape.pages.push_back(next.block);
  scan.at = next;
  scan.groups_in_page = 0;
  return true;
}

Result<void> LogReader::read_groups(Scan& scan) {
  for (;;) {
    if (!read_valid(scan.at, scan.shape.epoch)) {
      if (scan.at.line < kBlockLines) {
        if (group_follows(scan.at, scan.shape.epoch)) return damage("a record is wrong", scan.at);
        return {};
      }
      DAXLAB_ASSIGN(const bool more, next_page(scan));
      if (!more) return {};
      continue;
    }
    const RecordHeaderDisk header = record_.header();
    scan.shape.epoch = header.epoch;
    if (header.type == static_cast<uint8_t>(RecordType::kSkip)) {
      scan.at.line = kBlockLines;
      continue;
    }
    const bool first = (header.flags & kFirst) != 0;
    // A log whose head pages were dropped may begin within a group.
    if (first == scan.in_group && (first || scan.groups != 0)) return damage("a group is out of place", scan.at);
    if (!scan.in_group) {
      if (scan.last_uncommitted) return damage("a transaction that did not happen is followed by a record", scan.at);
      scan.in_group = true;
      scan.begin = scan.at;
      scan.begin_page = scan.shape.pages.size() - 1;
      scan.begin_groups = scan.groups_in_page;
    }
    if ((header.flags & kTransaction) != 0) {
      if (record_.room(sizeof(DentryRecordDisk)) < sizeof(TransactionDisk)) return damage("a transaction has no number", scan.at);
      TransactionDisk transaction;
      std::memcpy(&transaction, record_.bytes.data() + sizeof(DentryRecordDisk), sizeof transaction);
      scan.last_uncommitted = !volume_.commits.committed(transaction.number);
    }
    scan.at.line += header.lines;
    if ((header.flags & kLast) == 0) continue;
    scan.in_group = false;
    ++scan.groups;
    ++scan.groups_in_page;
    scan.last_begin = scan.begin;
    scan.last_begin_page = scan.begin_page;
    scan.last_begin_groups = scan.begin_groups;
    scan.end = scan.at;
    scan.end_pages = scan.shape.pages.size();
    scan.end_groups = scan.groups_in_page;
  }
}

/// The last group did not happen if its transaction was not committed, or if it creates an inode whose slot is not there: both became
/// durable with one fence, so a slot that is missing was cut off by the crash.
bool LogReader::last_group_happened(const Scan& scan) {
  if (scan.last_uncommitted) return false;
  if (!read_valid(scan.last_begin, 0)) return false;
  if (record_.type() != RecordType::kDentry || (record_.header().flags & kCreates) == 0) return true;
  const auto dentry = record_.as<DentryRecordDisk>();
  const InodeDisk* const slot = table_.slot(dentry.ino);
  if (slot == nullptr) return false;
  const InodeDisk inode = pmem::load(slot);
  return inode.magic == kInodeMagic && inode.ino == dentry.ino && inode.generation == dentry.generation &&
         inode.crc == inode_crc(inode, volume_.seed);
}

Result<LogShape> LogReader::finish(Scan& scan) {
  LogShape& shape = scan.shape;
  if (scan.groups != 0 && !last_group_happened(scan)) {
    for (Place place = scan.last_begin; place.block == scan.last_begin.block && read_valid(place, 0);) {
      const uint32_t lines = record_.header().lines;
      shape.erase.push_back(reinterpret_cast<uint64_t*>(volume_.address(place.block) + (place.line + lines) * kLineBytes) - 1);
      if ((record_.header().flags & kLast) != 0) break;
      place.line += lines;
    }
    scan.end = scan.last_begin;
    scan.end_pages = scan.last_begin_page + 1;
    scan.end_groups = scan.last_begin_groups;
    if (scan.end.line == 1) {  // a page of which nothing is left
      --scan.end_pages;
      scan.end.line = kBlockLines;
      scan.end_groups = 2;  // the page before was fenced long ago
    }
  }
  shape.pages.resize(scan.end_pages);
  if (shape.pages.empty()) {
    shape.clear_head = true;
    return std::move(shape);
  }
  shape.tail_line = scan.end.line;
  if (shape.erase.empty() && shape.tail_line < kBlockLines) {
    const uint32_t sequence = record_sequence(scan.end.ordinal, scan.end.line);
    shape.left_over = cut_record(volume_, scan.end.block, scan.end.line, sequence, shape.epoch);
  }
  const Place tail{shape.pages.back(), shape.head_ordinal + static_cast<uint32_t>(shape.pages.size()) - 1, 1};
  LogPageDisk page;
  if (!page_header(tail, page)) {
    if (scan.end_groups > 1) return damage("its page header is wrong", tail);
    shape.rewrite_header = true;
  } else if (page.next != 0) {
    if (!pointer_is(page.next, seed_, tail.ordinal + 1) && scan.end_groups > 1) {
      return damage("the pointer to its next page is wrong", tail);
    }
    shape.clear_next = true;
  }
  return std::move(shape);
}

Result<LogShape> LogReader::scan(uint64_t head_word) {
  Scan scan;
  if (head_word == 0) return std::move(scan.shape);
  DAXLAB_ASSIGN(scan.at, first_place(head_word));
  scan.shape.head_ordinal = scan.at.ordinal;
  scan.shape.pages.push_back(scan.at.block);
  DAXLAB_TRY(read_groups(scan));
  return finish(scan);
}

}  // namespace daxlab::native
