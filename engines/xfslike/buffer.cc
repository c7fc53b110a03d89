#include "engines/xfslike/buffer.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "engines/base/check.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/ail.h"
#include "engines/xfslike/item_format.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

Buffer::Buffer(Volume& volume, BufferName name, std::unique_ptr<BufferBytes> bytes, bool fresh)
    : StoredItem(ItemType::kBuffer),
      volume_(volume),
      name_(std::move(name)),
      size_bytes_(name_.size_bytes()),
      bytes_(std::move(bytes)),
      changed_(size_bytes_),
      fresh_(fresh) {}

void Buffer::write_header() {
  MetaHeaderDisk header{};
  header.magic = static_cast<uint32_t>(name_.magic);
  header.owner = name_.owner;
  header.block = name_.first_block();
  header.uuid = volume_.superblock.uuid;
  header.size_bytes = size_bytes_;
  write(0, &header, sizeof header);
}

Result<void> Buffer::verify() const {
  std::byte scratch[sizeof(MetaHeaderDisk)];
  MetaHeaderDisk header;
  __builtin_memcpy(&header, read(0, sizeof header, scratch), sizeof header);
  const char* wrong = nullptr;
  if (header.magic != static_cast<uint32_t>(name_.magic)) wrong = "is something else";
  else if (header.crc != bytes_->crc(header.lsn)) wrong = "has a wrong checksum";
  else if (header.uuid != volume_.superblock.uuid) wrong = "is of another file system";
  else if (header.owner != name_.owner) wrong = "has another owner";
  else if (header.block != name_.first_block() || header.size_bytes != size_bytes_) wrong = "belongs elsewhere";
  if (wrong == nullptr) return {};
  return Error(Errc::kCorrupt, fmt::format("metadata at block {} {}", name_.first_block(), wrong));
}

void Buffer::write(uint32_t offset, const void* from, uint32_t size) {
  if (size == 0) return;
  logged_ = true;
  dirty_.store(true, std::memory_order_release);
  bytes_->write(offset, from, size);
  changed_.set_bytes(offset, size);
}

LogItem::Size Buffer::log_size() const {
  Size size{1, static_cast<uint32_t>(sizeof(BufferLogDisk) + name_.runs.size() * sizeof(BlockRunDisk))};
  if (cancelled_) return size;
  size.bytes += changed_.word_count() * 8;
  changed_.each_run([&](uint32_t, uint32_t count) {
    ++size.regions;
    size.bytes += count * kChunkBytes;
  });
  return size;
}

void Buffer::format(RegionWriter& out) const {
  const uint32_t words = cancelled_ ? 0 : changed_.word_count();
  const auto run_bytes = static_cast<uint32_t>(name_.runs.size() * sizeof(BlockRunDisk));
  std::byte* to = out.add(static_cast<uint32_t>(sizeof(BufferLogDisk)) + run_bytes + words * 8);
  BufferLogDisk disk{};
  disk.flags = static_cast<uint16_t>((cancelled_ ? kBufferCancel : 0) | (fresh_ ? kBufferFresh : 0));
  disk.run_count = static_cast<uint16_t>(name_.runs.size());
  disk.size_bytes = size_bytes_;
  disk.magic = static_cast<uint32_t>(name_.magic);
  disk.owner = name_.owner;
  __builtin_memcpy(to, &disk, sizeof disk);
  to += sizeof disk;
  for (const BlockRun& run : name_.runs) {
    const BlockRunDisk run_disk{run.first, run.count};
    __builtin_memcpy(to, &run_disk, sizeof run_disk);
    to += sizeof run_disk;
  }
  if (cancelled_) return;
  __builtin_memcpy(to, changed_.words(), words * 8);
  changed_.each_run([&](uint32_t first, uint32_t count) {
    std::byte* const at = out.add(count * kChunkBytes);
    const std::byte* const from = read(first * kChunkBytes, count * kChunkBytes, at);
    if (from != at) __builtin_memcpy(at, from, count * kChunkBytes);
  });
}

void Buffer::cancel() {
  cancelled_ = true;
  logged_ = true;
  dirty_.store(true, std::memory_order_release);
}

void Buffer::committing(uint64_t) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  if (cancelled_) final_.store(true, std::memory_order_release);
  logged_ = false;
  transaction_ = nullptr;
  mutex_.unlock();
}

// A cancelled buffer stays in the AIL, never written back, until the checkpoint that frees it is durable: before, a crash replays its
// earlier records. That checkpoint is the last to have it pinned.
Lsn Buffer::committed(Lsn start) {
  if (!final_.load(std::memory_order_acquire) || pins_.load(std::memory_order_acquire) > 1) return start;
  if (volume_.ail != nullptr) volume_.ail->remove(*this);
  dirty_.store(false, std::memory_order_release);
  volume_.cache.settled(this);
  return kNoLsn;
}

// Whoever reads on after a shutdown sees what was changed; a cancelled buffer nobody sees.
void Buffer::aborted() {
  if (pins_.load(std::memory_order_acquire) == 0) static_cast<void>(committed(kNoLsn));
}

// Stores: the changed chunks with the rest of the header, flushed; fence; crc and magic, then the LSN, flushed; fence.
// A crash before the LSN is durable leaves chunks in any mix and the old LSN: the log still holds this checkpoint, whose record has
// every chunk that changed since the last complete write-back, and recovery stores them again. A crash after it: nothing to do.
void Buffer::write_back(Lsn lsn) {
  if (cancelled_) return;
  const uint32_t crc = bytes_->crc(lsn);
  bytes_->store_chunks(changed_);
  pmem::fence();
  bytes_->store_stamp(static_cast<uint32_t>(name_.magic), crc, lsn);
  pmem::fence();
  bytes_->stored();
  changed_.clear();
  fresh_ = false;
  dirty_.store(false, std::memory_order_release);
}

LogItem::Push Buffer::push_locked() {
  if (cancelled_ || pins_.load(std::memory_order_acquire) != 0) return Push::kPinned;
  const Lsn lsn = ail_lsn();
  if (lsn == kNoLsn) return Push::kDone;
  write_back(lsn);
  volume_.ail->remove_at(*this, lsn);
  return Push::kDone;
}

LogItem::Push Buffer::push() {
  if (!mutex_.try_lock()) return Push::kLocked;
  volume_.cache.hold(this);
  const Push pushed = push_locked();
  mutex_.unlock();
  volume_.cache.put(this);
  return pushed;
}

}  // namespace daxlab::xfslike
