// How a change of a file's pages becomes durable and visible.

#include <algorithm>

#include "engines/base/clock.h"
#include "engines/base/trace.h"
#include "engines/native/cleaner.h"
#include "engines/native/file_data.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

void add_extent(InlineVector<Extent, 8>& extents, uint32_t block) {
  if (!extents.empty() && extents.back().block + extents.back().count == block) {
    ++extents.back().count;
  } else {
    extents.push_back({block, 1});
  }
}

/// Points pages at their new blocks; what they had is added to `old`.
void index_run(Volume& volume, Inode& inode, const NewRun& run, uint32_t log_page, InlineVector<Extent, 8>& old) {
  uint64_t fresh = 0;
  for (uint32_t i = 0; i < run.pages; ++i) {
    const BlockRef before = inode.data.get(run.first_page + i);
    if (before.hole()) {
      ++fresh;
    } else {
      log_release(volume, before.log_page);
      add_extent(old, before.block);
    }
    inode.data.set(run.first_page + i, {run.block + i, log_page});
  }
  log_hold(volume, log_page, run.pages);
  if (fresh != 0) inode.data_blocks.fetch_add(fresh, std::memory_order_relaxed);
}

void index_punch(Volume& volume, Inode& inode, uint64_t first_page, uint64_t pages, InlineVector<Extent, 8>& old) {
  const uint64_t end = first_page + pages;
  for (uint64_t page = inode.data.next_mapped(first_page, end); page < end; page = inode.data.next_mapped(page + 1, end)) {
    const BlockRef before = inode.data.get(page);
    log_release(volume, before.log_page);
    add_extent(old, before.block);
    inode.data.set(page, {});
    inode.data_blocks.fetch_sub(1, std::memory_order_relaxed);
  }
}

template <typename Disk>
void add_record(InlineVector<Line, 8>& lines, const Disk& disk) {
  Line line{};
  static_assert(sizeof(Disk) == sizeof(Line));
  std::memcpy(&line, &disk, sizeof disk);
  lines.push_back(line);
}

}  // namespace

// Order: the runs' data is durable (the caller fenced); the records, self-checking, in any order; fence. A crash before it leaves
// the group without its last record: nothing happened, and the runs' blocks are free. After it all happened; only then are the
// replaced blocks given to others.
Result<void> commit_change(FileSystem& fs, Inode& inode, Change& change) {
  Volume& volume = fs.volume;
  InlineVector<Extent, 8> old;
  {
    const WriterLock lock(inode.lock);
    const uint64_t now_ns = realtime_coarse_ns();
    const uint64_t size_bytes = std::max(inode.size_bytes.load(std::memory_order_relaxed), change.end_bytes);
    InlineVector<Line, 8> lines;
    for (const NewRun& run : change.runs) {
      WriteRecordDisk disk{};
      disk.header.type = static_cast<uint8_t>(RecordType::kWrite);
      disk.first_page = run.first_page;
      disk.block = run.block;
      disk.pages = run.pages;
      disk.size_bytes = size_bytes;
      disk.time_ns = now_ns;
      add_record(lines, disk);
    }
    if (change.punch_pages != 0) {
      PunchRecordDisk disk{};
      disk.header.type = static_cast<uint8_t>(RecordType::kPunch);
      disk.first_page = change.punch_first;
      disk.pages = change.punch_pages;
      disk.size_bytes = size_bytes;
      disk.time_ns = now_ns;
      add_record(lines, disk);
    } else if (change.runs.empty()) {
      WriteRecordDisk disk{};
      disk.header.type = static_cast<uint8_t>(RecordType::kWrite);
      disk.size_bytes = size_bytes;
      disk.time_ns = now_ns;
      add_record(lines, disk);
    }
    InlineVector<Record, 8> group;
    for (Line& line : lines) group.push_back({&line, 1, 0});
    const auto appended = log_append(volume, inode, group.span(), change.urgency);
    if (!appended.ok()) {
      free_runs(fs, change);
      return appended.error();
    }
    pmem::fence();
    DAXLAB_TRACE1(commit_end, group.size() * kLineBytes);
    for (size_t i = 0; i < change.runs.size(); ++i) index_run(volume, inode, change.runs[i], group[i].page, old);
    if (change.punch_pages != 0) index_punch(volume, inode, change.punch_first, change.punch_pages, old);
    inode.size_bytes.store(size_bytes, std::memory_order_release);
    inode.mtime_ns = now_ns;
    inode.ctime_ns.store(now_ns, std::memory_order_relaxed);
    log_hold_state(volume, inode.log, group[group.size() - 1].page, false);
    const bool one_block = old.size() == 1 && old[0].count == 1;
    if (one_block && inode.spare_data_block.load(std::memory_order_relaxed) == 0) {
      inode.spare_data_block.store(old[0].block, std::memory_order_release);
      old[0].count = 0;
    }
    if (!change.in_fault) clean_what_grew(fs, inode);
  }
  for (const Extent& extent : old) volume.allocator.free(extent);
  return {};
}

Result<void> allocate_runs(FileSystem& fs, Change& change, uint64_t first_page, uint64_t pages, uint32_t hint) {
  while (pages != 0) {
    const auto want = static_cast<uint32_t>(std::min<uint64_t>(pages, Allocator::kGroupBlocks));
    const Extent extent = fs.volume.allocator.allocate(want, hint);
    if (extent.count == 0) {
      free_runs(fs, change);
      return Errc::kNoSpace;
    }
    const bool joins = !change.runs.empty() && change.runs.back().first_page + change.runs.back().pages == first_page &&
                       change.runs.back().block + change.runs.back().pages == extent.block;
    if (joins) {
      change.runs.back().pages += extent.count;
    } else {
      change.runs.push_back({first_page, extent.block, extent.count});
    }
    first_page += extent.count;
    pages -= extent.count;
    hint = extent.block + extent.count;
  }
  return {};
}

void free_runs(FileSystem& fs, Change& change) {
  for (const NewRun& run : change.runs) fs.volume.allocator.free({run.block, run.pages});
}

bool zero_allocated(FileSystem& fs, Inode& inode, uint64_t begin, uint64_t end) {
  bool stored = false;
  const uint64_t limit = div_up(end, kBlockBytes);
  for (uint64_t page = inode.data.next_mapped(begin / kBlockBytes, limit); page < limit;
       page = inode.data.next_mapped(page + 1, limit)) {
    const uint64_t from = std::max(begin, page * kBlockBytes);
    const uint64_t to = std::min(end, (page + 1) * kBlockBytes);
    if (from >= to) continue;
    pmem::stream_zero(fs.volume.address(inode.data.get(page).block) + from % kBlockBytes, to - from);
    stored = true;
  }
  return stored;
}

}  // namespace daxlab::native
