#include "engines/native/cleaner.h"

#include <algorithm>
#include <utility>

#include "engines/native/directory.h"
#include "engines/native/file_data.h"
#include "engines/native/log_reader.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

constexpr uint32_t kPagesMin = 8;           ///< A log as short as this is not rewritten.
constexpr uint32_t kGarbageRatio = 3;       ///< A longer one when it has as many times the pages that its last pass had to say again.
constexpr uint32_t kDropsMax = 64;          ///< Dead pages dropped in one step.
constexpr uint64_t kStepPages = 512;        ///< Of a file that a step points at their new records, about: 5 us.
constexpr uint64_t kMergePages = 128;       ///< Longest run that one record is made of: bounds what a step does.

/// A pass points every page of the file at its new record, so a large file waits for as much garbage as makes that cheap: 0.1 % of its size.
bool due(const Inode& inode) {
  const auto pages_min = kPagesMin + static_cast<uint32_t>(inode.data_blocks.load(std::memory_order_relaxed) / 1024);
  return inode.log.pages() > std::max(pages_min, kGarbageRatio * inode.log.compact_pages);
}

/// Says again, at the tail, what still holds of the records in the head page; a record may be the last word on many pages of the file, so that
/// it may take several steps.
class Evacuation {
 public:
  Evacuation(FileSystem& fs, Inode& inode) : fs_(fs), inode_(inode), page_(inode.log.head_block) {}

  // Order: places of small writes, fence; the new records, a fence behind each; then the caller drops the page. A crash before the last leaves
  // both pages. The last fence also follows a failure: what was said by then counts, and whoever drops the page later does not fence it.
  // True: nothing of the page holds any more.
  Result<bool> run() {
    if (inode_.kind == NodeKind::kFile) flush_pending(fs_, inode_);
    if (fs_.volume.log_pages[page_].live == 0) return true;
    // Its lines were streamed past the caches: they come side by side, and not one when the one before has been looked at.
    for (uint32_t line = 0; line < kBlockLines; ++line) __builtin_prefetch(fs_.volume.address(page_) + line * kLineBytes);
    const auto said = say_page();
    pmem::fence();
    if (!said.ok()) return said.error();
    return !stopped_;
  }

 private:
  Result<void> say_page() {
    LogReader reader(fs_.volume, fs_.table, inode_.ino, inode_.generation);
    LogShape shape;
    shape.pages.push_back(page_);  // its records are all valid: it is not the last page
    uint32_t records = 0;
    const auto say_next = [&](const LogRecord& record) -> Result<void> {
      if (records++ < inode_.log.said_records) return {};
      stopped_ = stopped_ || pages_ >= kStepPages;
      if (stopped_) return {};
      DAXLAB_TRY(move(record));
      inode_.log.said_records = records;
      return {};
    };
    DAXLAB_TRY(reader.for_each(shape, say_next));
    if (stopped_) return {};
    if (inode_.log.attributes_page == page_ || inode_.log.state_page == page_) DAXLAB_TRY(say_attributes());
    return {};
  }

  Result<void> move(const LogRecord& record) {
    if (record.type() == RecordType::kWrite) return move_write(record.as<WriteRecordDisk>());
    if (record.type() == RecordType::kTarget) return say_again(record);
    if (record.type() != RecordType::kDentry || record.header().aux == 0) return {};
    constexpr uint64_t kCookieMask = (uint64_t{1} << 56) - 1;
    Dentry* const dentry = inode_.names->find_cookie(record.as<DentryRecordDisk>().cookie & kCookieMask);
    if (dentry == nullptr || dentry->log_page != page_) return {};
    return move_dentry(*dentry);
  }

  /// A group of its own: the one before it is durable first, since a place without a group that is followed by one counts as damaged.
  Result<void> append(Record& record) {
    if (std::exchange(appended_, true)) pmem::fence();
    DAXLAB_TRY(log_append(fs_.volume, inode_, {&record, 1}));
    inode_.log.said_lines += record.count;
    return {};
  }

  Result<void> move_dentry(Dentry& dentry) {
    DentryRecord fresh = DentryRecord::add(dentry.name(), dentry.cookie, dentry.id(), dentry.kind, 0, dentry.time_ns);
    Record record = fresh.flag(kMoved).record();
    DAXLAB_TRY(append(record));
    log_release(fs_.volume, page_);
    dentry.log_page = record.page;
    log_hold(fs_.volume, record.page);
    return {};
  }

  bool here(uint64_t page) const {
    const BlockRef ref = inode_.data.get(page);
    return !ref.hole() && ref.log_page == page_;
  }

  /// Each run of pages that this record is still the word on, with what follows it in file and medium.
  Result<void> move_write(const WriteRecordDisk& disk) {
    const uint64_t end = disk.first_page + disk.pages;
    for (uint64_t page = disk.first_page; page < end;) {
      if (!here(page)) {
        ++page;
        continue;
      }
      const uint64_t pages = inode_.data.run(page, kMergePages);
      DAXLAB_TRY(say_write(page, static_cast<uint32_t>(pages)));
      page += pages;
    }
    return {};
  }

  Result<void> say_write(uint64_t first_page, uint32_t pages) {
    Line line{};
    WriteRecordDisk disk{};
    disk.header.type = static_cast<uint8_t>(RecordType::kWrite);
    disk.header.flags = kMoved;
    disk.first_page = first_page;
    disk.block = inode_.data.get(first_page).block;
    disk.pages = pages;
    disk.size_bytes = inode_.size_bytes.load(std::memory_order_relaxed);
    std::memcpy(&line, &disk, sizeof disk);
    Record record{&line, 1, 0};
    DAXLAB_TRY(append(record));
    for (uint32_t i = 0; i < pages; ++i) {
      const BlockRef before = inode_.data.get(first_page + i);
      log_release(fs_.volume, before.log_page);
      inode_.data.set(first_page + i, {before.block, record.page});
    }
    log_hold(fs_.volume, record.page, pages);
    pages_ += pages;
    return {};
  }

  Result<void> say_attributes() {
    Line line = current_attributes_line(inode_);
    Record record{&line, 1, 0};
    DAXLAB_TRY(append(record));
    log_hold_state(fs_.volume, inode_.log, record.page, true);
    return {};
  }

  /// Records that are never outlived, as they are.
  Result<void> say_again(const LogRecord& old) {
    const uint32_t count = old.header().lines;
    Line lines[kLinesPerLogPage];
    std::memcpy(lines, old.bytes.data(), count * kLineBytes);
    reinterpret_cast<RecordHeaderDisk*>(lines)->flags = kMoved;
    Record record{lines, count, 0};
    DAXLAB_TRY(append(record));
    log_release(fs_.volume, page_);
    log_hold(fs_.volume, record.page);
    return {};
  }

  FileSystem& fs_;
  Inode& inode_;
  const uint32_t page_;
  bool appended_ = false;
  uint64_t pages_ = 0;  // of the file, pointed at new records
  bool stopped_ = false;
};

}  // namespace

bool clean_step(FileSystem& fs, Inode& inode) {
  LogState& log = inode.log;
  if (log.pages() < 2) return false;
  const bool nothing_lives = fs.volume.log_pages[log.head_block].live == 0;
  if (!nothing_lives && !log.in_pass) {
    if (!due(inode)) return false;
    log.begin_pass();
  }
  const auto said = Evacuation(fs, inode).run();
  if (!said.ok()) {  // no space for what must be said again: later
    log.in_pass = false;
    return false;
  }
  if (!*said) return true;
  if (log_drop_heads(fs.volume, inode, kDropsMax) == 0) {
    log.in_pass = false;
    return false;
  }
  if (log.in_pass && log.head_ordinal >= log.pass_end) {
    log.in_pass = false;
    log.compact_pages = 1 + log.said_lines / kLinesPerLogPage;
  }
  return true;
}

void clean_what_grew(FileSystem& fs, Inode& inode) {
  LogState& log = inode.log;
  const uint32_t half = 2 * log.tail_ordinal + (log.tail_line > kBlockLines / 2 ? 1 : 0);
  if (DAXLAB_LIKELY(half == log.looked_half)) return;
  log.looked_half = half;
  clean_step(fs, inode);  // two pages for each one that is filled: a pass ends although the log grows
}

}  // namespace daxlab::native
