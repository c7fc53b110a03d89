#include <algorithm>
#include <cstring>

#include "engines/base/account.h"
#include "engines/base/clock.h"
#include "engines/base/counters.h"
#include "engines/base/trace.h"
#include "engines/dax/user_buffer.h"
#include "engines/native/cleaner.h"
#include "engines/native/file_data.h"
#include "engines/native/mapped.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

constexpr uint64_t kFileBytesMax = kFilePagesMax * kBlockBytes;

/// One write on its way: which bytes, the size before it, and what of it goes where.
struct Writing {
  FileSystem& fs;
  Inode& inode;
  uint64_t offset;
  const std::byte* data;  ///< Null: zeroes.
  size_t size_bytes;
  uint64_t old_size;
  bool in_place_visible = false;  ///< Bytes that readers see were or will be stored over.

  uint64_t end() const { return offset + size_bytes; }
  uint64_t first_page() const { return offset / kBlockBytes; }
  uint64_t end_page() const { return div_up(end(), kBlockBytes); }
  uint64_t begin_in(uint64_t page) const { return std::max(offset, page * kBlockBytes); }
  uint64_t end_in(uint64_t page) const { return std::min(end(), (page + 1) * kBlockBytes); }

  /// Bytes beyond the end of the file are nobody's until the record moves the end: they are stored in place. Others only with data=inplace.
  bool in_place(uint64_t page) const {
    // The index last: an overwrite with data=cow need not wait for that load before it streams.
    if (fs.volume.copy_on_write && begin_in(page) < old_size) return false;
    return !inode.data.get(page).hole();
  }

  void store(std::byte* to, const std::byte* from, size_t bytes) const {
    const AccountScope scope(Phase::kCopy);
    if (from == nullptr) {
      pmem::stream_zero(to, bytes);
    } else {
      pmem::stream(to, from, bytes);
    }
  }
  const std::byte* from(uint64_t at) const { return data == nullptr ? nullptr : data + (at - offset); }

  /// Whole or partial pages into blocks that are theirs already.
  void store_in_place(uint64_t page) const {
    const uint64_t begin = begin_in(page);
    store(fs.volume.address(inode.data.get(page).block) + begin % kBlockBytes, from(begin), end_in(page) - begin);
  }

  /// A page of which only a part is written, into a new block: old bytes (zeroes in a hole and beyond the end) around the new.
  void copy_partial(uint64_t page, std::byte* to) const {
    alignas(kLineBytes) std::byte block[kBlockBytes];
    const uint64_t page_begin = page * kBlockBytes;
    const uint32_t old_block = inode.data.get(page).block;
    const uint64_t old_bytes = old_block == 0 || old_size <= page_begin ? 0 : std::min(old_size - page_begin, kBlockBytes);
    if (old_bytes != 0) pmem::load_bytes(block, fs.volume.address(old_block), old_bytes);
    std::memset(block + old_bytes, 0, kBlockBytes - old_bytes);
    const uint64_t begin = begin_in(page);
    const uint64_t bytes = end_in(page) - begin;
    if (data == nullptr) {
      std::memset(block + begin % kBlockBytes, 0, bytes);
    } else {
      std::memcpy(block + begin % kBlockBytes, from(begin), bytes);
    }
    count(Counter::staged_bytes, kBlockBytes);
    store(to, block, kBlockBytes);
  }

  void fill_run(const NewRun& run) const {
    uint64_t page = run.first_page;
    uint32_t block = run.block;
    uint32_t left = run.pages;
    const auto partial = [&](uint64_t at) { return end_in(at) - begin_in(at) != kBlockBytes; };
    if (partial(page)) {
      copy_partial(page++, fs.volume.address(block++));
      --left;
    }
    const bool partial_end = left != 0 && partial(page + left - 1);
    if (partial_end) --left;
    if (left != 0) {
      const std::byte* source = from(page * kBlockBytes);
      for_each_piece(fs.volume, block, 0, left * kBlockBytes, [&](std::byte* to, uint64_t bytes) {
        store(to, source, bytes);
        if (source != nullptr) source += bytes;
      });
    }
    if (partial_end) copy_partial(page + left, fs.volume.address(block + left));
  }
};

/// Where the next page should lie: behind the one before it.
uint32_t hint_for(const Inode& inode, uint64_t page) {
  const uint32_t before = page == 0 ? 0 : inode.data.get(page - 1).block;
  return before == 0 ? 0 : before + 1;
}

Result<void> plan_runs(Writing& writing, Change& change) {
  for (uint64_t page = writing.first_page(); page < writing.end_page();) {
    if (writing.in_place(page)) {
      writing.in_place_visible |= writing.begin_in(page) < writing.old_size;
      ++page;
      continue;
    }
    uint64_t end = page + 1;
    while (end < writing.end_page() && !writing.in_place(end)) ++end;
    const bool appends = page * kBlockBytes >= writing.old_size;
    if (!appends && end - page == 1 && writing.inode.spare_data_block.load(std::memory_order_relaxed) != 0) {
      const uint32_t spare = writing.inode.spare_data_block.exchange(0, std::memory_order_acq_rel);
      if (spare != 0) {
        change.runs.push_back({page, spare, 1});
        page = end;
        continue;
      }
    }
    DAXLAB_TRY(allocate_runs(writing.fs, change, page, end - page, appends ? hint_for(writing.inode, page) : 0));
    page = end;
  }
  return {};
}

// data=inplace over what is there: bytes in place and a record with the time, one fence for both. A crash leaves any of the bytes.
Result<void> overwrite_in_place(Writing& writing) {
  FileSystem& fs = writing.fs;
  Inode& inode = writing.inode;
  DAXLAB_TRY(retire_small(fs, inode));
  for (uint64_t page = writing.first_page(); page < writing.end_page(); ++page) writing.store_in_place(page);
  const WriterLock lock(inode.lock);
  const uint64_t now_ns = realtime_coarse_ns();
  Line line = touch_line(inode, now_ns);
  Record record{&line, 1, 0};
  DAXLAB_TRY(log_append(fs.volume, inode, {&record, 1}, Urgency::kReserve));
  pmem::fence();
  inode.mtime_ns = now_ns;
  inode.ctime_ns.store(now_ns, std::memory_order_relaxed);
  log_hold_state(fs.volume, inode.log, record.page, false);
  clean_what_grew(fs, inode);
  return {};
}

/// The write itself, everything locked.
Result<void> write_locked(FileSystem& fs, Inode& inode, uint64_t offset, const std::byte* data, size_t size_bytes) {
  Writing writing{fs, inode, offset, data, size_bytes, inode.size_bytes.load(std::memory_order_relaxed)};
  const bool one_page = writing.end_page() - writing.first_page() == 1;
  if (fs.volume.copy_on_write && data != nullptr && size_bytes <= kSmallBytesMax && one_page && offset <= writing.old_size &&
      !inode.data.get(writing.first_page()).hole() && !is_mapped(inode)) {
    return write_small(fs, inode, offset, {data, size_bytes});
  }
  inode.data.prefetch(writing.first_page());  // for the commit: the miss passes while the data streams
  Change change;
  DAXLAB_TRY(plan_runs(writing, change));
  if (change.runs.empty() && writing.end() <= writing.old_size) return overwrite_in_place(writing);
  if (writing.in_place_visible) {
    const auto retired = retire_small(fs, inode);
    if (!retired.ok()) {
      free_runs(fs, change);
      return retired.error();
    }
  }
  for (const NewRun& run : change.runs) {
    inode.data.prepare(run.first_page, run.pages);
    writing.fill_run(run);
  }
  for (uint64_t page = writing.first_page(); page < writing.end_page(); ++page) {
    if (writing.in_place(page)) writing.store_in_place(page);
  }
  if (offset > writing.old_size) zero_allocated(fs, inode, writing.old_size, offset);
  // What the commit will read passes the caches while the data drains.
  const BlockRef replaced = inode.data.get(writing.first_page());
  if (!replaced.hole()) __builtin_prefetch(&fs.volume.log_pages[replaced.log_page], 1);
  pmem::fence();
  change.end_bytes = writing.end();
  if (writing.in_place_visible) change.urgency = Urgency::kReserve;  // what is stored cannot be taken back
  return commit_change(fs, inode, change);
}

/// Locks what a write at `offset` touches, from the old end of the file if it leaves a gap. False: the file was mapped or its size
/// changed meanwhile, so that the locks are not the right ones.
template <typename Body>
Result<bool> with_range(Inode& inode, uint64_t offset, size_t size_bytes, uint64_t size_seen, Body body) {
  const bool extends = offset + size_bytes > size_seen;
  const uint64_t first_page = std::min(offset, extends ? size_seen : offset) / kBlockBytes;
  const uint64_t pages = div_up(offset + size_bytes, kBlockBytes) - first_page;
  const MappedBracket bracket(inode, first_page, pages);
  const StripeGuard stripes(inode.stripes, StripeLock::pages(first_page, pages) | (extends ? StripeLock::kEnd : 0));
  const uint64_t size_now = inode.size_bytes.load(std::memory_order_relaxed);
  const bool extends_now = offset + size_bytes > size_now;
  if (bracket.missed() || extends_now != extends || (extends && size_now != size_seen)) return false;
  DAXLAB_TRY(body());
  return true;
}

/// The common append: the end is locked before it is known where that is.
Result<std::optional<uint64_t>> append_unmapped(FileSystem& fs, Inode& inode, std::span<const std::byte> data) {
  StripeGuard stripes(inode.stripes, StripeLock::kEnd);
  const uint64_t offset = inode.size_bytes.load(std::memory_order_relaxed);
  if (data.size() > kFileBytesMax - offset) return Errc::kFileTooBig;
  const uint64_t first_page = offset / kBlockBytes;
  stripes.add(StripeLock::pages(first_page, div_up(offset + data.size(), kBlockBytes) - first_page));
  if (is_mapped(inode)) return std::optional<uint64_t>{};
  DAXLAB_TRY(write_locked(fs, inode, offset, data.data(), data.size()));
  return std::optional<uint64_t>(offset);
}

}  // namespace

Result<void> write_zeroes(FileSystem& fs, Inode& inode, uint64_t offset, uint64_t size_bytes) {
  return write_locked(fs, inode, offset, nullptr, size_bytes);
}

Result<uint64_t> write_data(FileSystem& fs, Inode& inode, std::optional<uint64_t> where, std::span<const std::byte> user) {
  const ScopedLockScope scope(LockScope::kWrite);
  DAXLAB_TRACE2(write_begin, where.value_or(0), user.size());
  count(Counter::writes);
  count(Counter::logical_bytes, user.size());
  const dax::SourceBuffer source(user);
  const auto data = source.bytes();
  Result<uint64_t> result = Errc::kFileTooBig;
  bool done = false;
  if (data.empty()) {
    result = where.value_or(inode.size_bytes.load(std::memory_order_relaxed));
    done = true;
  } else if (!where && !is_mapped(inode)) {
    const auto appended = append_unmapped(fs, inode, data);
    done = !appended.ok() || appended->has_value();
    if (!appended.ok()) result = appended.error();
    else if (done) result = **appended;
  }
  while (!done) {
    const uint64_t size_seen = inode.size_bytes.load(std::memory_order_acquire);
    const uint64_t offset = where.value_or(size_seen);
    if (offset > kFileBytesMax || data.size() > kFileBytesMax - offset) break;
    const auto written = with_range(inode, offset, data.size(), size_seen,
                                    [&] { return write_locked(fs, inode, offset, data.data(), data.size()); });
    done = !written.ok() || *written;
    if (!written.ok()) result = written.error();
    else if (done) result = offset;
  }
  DAXLAB_TRACE2(write_end, where.value_or(0), user.size());
  return result;
}

}  // namespace daxlab::native
