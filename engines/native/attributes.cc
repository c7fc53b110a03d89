#include <algorithm>

#include "engines/base/clock.h"
#include "engines/native/cleaner.h"
#include "engines/native/file_data.h"
#include "engines/native/mapped.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

/// What stat(2) says of a directory's size: a constant, as its names have no size on this medium that means anything.
constexpr uint64_t kDirectorySizeBytes = kBlockBytes;

struct Wanted {
  uint32_t mode;
  uint32_t uid;
  uint32_t gid;
  uint64_t size_bytes;
  uint64_t atime_ns;
  uint64_t mtime_ns;
  uint64_t ctime_ns;
};

Wanted wanted_of(const Inode& inode, const SetAttributes& changes, uint64_t now_ns) {
  const uint64_t size_bytes = inode.size_bytes.load(std::memory_order_relaxed);
  Wanted wanted{changes.mode.value_or(inode.mode) & 07777u,
                changes.uid.value_or(inode.uid),
                changes.gid.value_or(inode.gid),
                changes.size_bytes.value_or(size_bytes),
                changes.atime_ns.value_or(inode.atime_ns),
                changes.mtime_ns.value_or(changes.size_bytes ? now_ns : inode.mtime_ns),
                now_ns};
  return wanted;
}

Line attributes_line(const Wanted& wanted, uint8_t flags) {
  Line line{};
  AttributesRecordDisk disk{};
  disk.header.type = static_cast<uint8_t>(RecordType::kAttributes);
  disk.header.flags = flags;
  disk.mode = static_cast<uint16_t>(wanted.mode);
  disk.uid = wanted.uid;
  disk.gid = wanted.gid;
  disk.size_bytes = wanted.size_bytes;
  disk.atime_ns = wanted.atime_ns;
  disk.mtime_ns = wanted.mtime_ns;
  disk.ctime_ns = wanted.ctime_ns;
  std::memcpy(&line, &disk, sizeof disk);
  return line;
}

/// Takes the pages from `first_page` on out of the index; their blocks are the caller's to free.
void drop_pages(FileSystem& fs, Inode& inode, uint64_t first_page, InlineVector<Extent, 8>& old) {
  for (uint64_t page = inode.data.next_mapped(first_page, kFilePagesMax); page < kFilePagesMax;
       page = inode.data.next_mapped(page + 1, kFilePagesMax)) {
    const BlockRef before = inode.data.get(page);
    log_release(fs.volume, before.log_page);
    inode.data.set(page, {});
    inode.data_blocks.fetch_sub(1, std::memory_order_relaxed);
    if (!old.empty() && old.back().block + old.back().count == before.block) {
      ++old.back().count;
    } else {
      old.push_back({before.block, 1});
    }
  }
}

// Order: for growth the allocated bytes between the old end and the new are zeroed, fence; the record with every attribute; fence. A crash
// before it leaves the old attributes and size (what was zeroed was beyond the end), after it the new. Only then are blocks freed.
Result<void> commit_attributes(FileSystem& fs, Inode& inode, const SetAttributes& changes) {
  InlineVector<Extent, 8> old;
  {
    const WriterLock lock(inode.lock);
    const uint64_t size_bytes = inode.size_bytes.load(std::memory_order_relaxed);
    const Wanted wanted = wanted_of(inode, changes, realtime_coarse_ns());
    const bool shrinks = wanted.size_bytes < size_bytes;
    Line line = attributes_line(wanted, 0);
    Record record{&line, 1, 0};
    DAXLAB_TRY(log_append(fs.volume, inode, {&record, 1}, shrinks ? Urgency::kReserve : Urgency::kNormal));
    pmem::fence();
    inode.mode = wanted.mode;
    inode.uid = wanted.uid;
    inode.gid = wanted.gid;
    inode.atime_ns = wanted.atime_ns;
    inode.mtime_ns = wanted.mtime_ns;
    inode.ctime_ns.store(wanted.ctime_ns, std::memory_order_relaxed);
    inode.size_bytes.store(wanted.size_bytes, std::memory_order_release);
    if (shrinks) drop_pages(fs, inode, div_up(wanted.size_bytes, kBlockBytes), old);
    log_hold_state(fs.volume, inode.log, record.page, true);
    clean_what_grew(fs, inode);
  }
  for (const Extent& extent : old) fs.volume.allocator.free(extent);
  return {};
}

}  // namespace

Line current_attributes_line(const Inode& inode) {
  return attributes_line({inode.mode, inode.uid, inode.gid, inode.size_bytes.load(std::memory_order_relaxed), inode.atime_ns,
                          inode.mtime_ns, inode.ctime_ns.load(std::memory_order_relaxed)},
                         kMoved);
}

Line touch_line(const Inode& inode, uint64_t time_ns, uint8_t flags) {
  Line line{};
  TouchRecordDisk disk{};
  disk.header.type = static_cast<uint8_t>(RecordType::kTouch);
  disk.header.flags = flags;
  disk.size_bytes = inode.size_bytes.load(std::memory_order_relaxed);
  disk.time_ns = time_ns;
  std::memcpy(&line, &disk, sizeof disk);
  return line;
}

Attributes attributes_of(Inode& inode) {
  const ReaderLock lock(inode.lock);
  Attributes attributes;
  attributes.ino = inode.id();
  attributes.kind = inode.kind;
  attributes.mode = inode.mode;
  attributes.uid = inode.uid;
  attributes.gid = inode.gid;
  attributes.links = inode.links.load(std::memory_order_relaxed);
  attributes.size_bytes = inode.kind == NodeKind::kDirectory ? kDirectorySizeBytes
                          : inode.kind == NodeKind::kSymlink ? inode.target->size()
                                                             : inode.size_bytes.load(std::memory_order_relaxed);
  attributes.allocated_bytes = inode.data_blocks.load(std::memory_order_relaxed) * kBlockBytes;
  attributes.device = inode.device;
  attributes.atime_ns = inode.atime_ns;
  attributes.mtime_ns = inode.mtime_ns;
  attributes.ctime_ns = inode.ctime_ns.load(std::memory_order_relaxed);
  return attributes;
}

Result<Attributes> set_attributes(FileSystem& fs, Inode& inode, const SetAttributes& changes) {
  if (!changes.size_bytes) {
    DAXLAB_TRY(commit_attributes(fs, inode, changes));
    return attributes_of(inode);
  }
  if (inode.kind == NodeKind::kDirectory) return Errc::kIsDirectory;
  if (inode.kind != NodeKind::kFile) return Errc::kInvalid;
  const uint64_t size_bytes = *changes.size_bytes;
  if (size_bytes > kFilePagesMax * kBlockBytes) return Errc::kFileTooBig;
  for (;;) {
    const uint64_t size_seen = inode.size_bytes.load(std::memory_order_acquire);
    // A page that stays in part is written back; pages that go whole are forgotten.
    const uint64_t first_page = std::min(size_bytes, size_seen) / kBlockBytes;
    const bool whole = size_bytes % kBlockBytes == 0 && size_bytes <= size_seen;
    const MappedBracket bracket(inode, first_page, kFilePagesMax - first_page,
                                whole ? MappedBracket::Data::kDrop : MappedBracket::Data::kKeep);
    const StripeGuard stripes(inode.stripes, StripeLock::kAll);
    if (bracket.missed() || inode.size_bytes.load(std::memory_order_relaxed) != size_seen) continue;
    if (size_bytes > size_seen && zero_allocated(fs, inode, size_seen, size_bytes)) pmem::fence();
    DAXLAB_TRY(commit_attributes(fs, inode, changes));
    break;
  }
  return attributes_of(inode);
}

}  // namespace daxlab::native
