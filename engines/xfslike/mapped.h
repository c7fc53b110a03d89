// A file's mappings: the address space that dax keeps, and the translation that the core gives it.
//
// begin() holds ilock shared until end(), so that nobody moves its blocks meanwhile; for a hole it runs a transaction first. It is called
// with an entry of the address space locked, as iomap_begin() is in fs/dax.c, and so inside i_rwsem and invalidate_lock of who takes
// entries away (truncation), but without them: the range of entries that a truncation holds stands for invalidate_lock.
//
// A fault runs in a signal handler on the thread that made the access. That access is the program's own, outside every lock of the core
// and of the heap (buffers inside a mapping are bounced, engines/dax/user_buffer.h), which is why a transaction, which needs memory,
// may run in it; everything else in here allocates nothing.
//
// Threads: begin() and end() from any thread; is_mapped() with rwsem or invalidate_lock held.
#pragma once

#include <atomic>
#include <memory>

#include "engines/dax/address_space.h"
#include "engines/dax/page_source.h"
#include "engines/xfslike/file_system.h"

namespace daxlab::xfslike {

class MappedFile final : public InodeAttachment, public dax::PageSource {
 public:
  MappedFile(FileSystem& fs, Inode& inode);

  Result<dax::PageRange> begin(uint64_t page, uint64_t pages_max, dax::Access access) override;
  void end(const dax::PageRange& range, dax::Access access) override;
  Result<void> commit(uint64_t first_page, uint64_t page_count) override;
  uint64_t page_limit() const override;
  uint64_t ino() const override { return inode_.ino(); }

  dax::AddressSpace& space() { return space_; }
  /// Whoever changes the size says so, before faults may see it.
  void set_size(uint64_t size_bytes) { size_bytes_.store(size_bytes, std::memory_order_release); }

 private:
  Result<void> fill(uint64_t page);
  void zero_behind_end(uint64_t page, std::byte* frame);

  FileSystem& fs_;
  Inode& inode_;
  std::atomic<uint64_t> size_bytes_;
  std::atomic<bool> stored_{false};  // a page was handed out for stores since the last commit()
  dax::AddressSpace space_;
};

inline MappedFile* mapped_file(const Inode& inode) { return static_cast<MappedFile*>(inode.attachment.get()); }
/// Whether anything is mapped, or dirty through a mapping that is gone.
inline bool is_mapped(const Inode& inode) { return inode.attachment != nullptr && mapped_file(inode)->space().mapped(); }

Result<std::unique_ptr<Mapping>> map_file(FileSystem& fs, Inode& inode, uint64_t offset, uint64_t size_bytes, bool writable);
/// Writes back what mappings left dirty and commits what makes it reachable; nothing for a file that was never mapped.
Result<void> write_back_mapped(FileSystem& fs, Inode& inode);

/// begin_write() to end_write() around a change of a mapped file's blocks; nothing for any other. rwsem is held exclusive.
class MappedBracket {
 public:
  enum class Data : uint8_t { kKeep, kDrop };
  MappedBracket(Inode& inode, uint64_t first_page, uint64_t page_count, Data data);
  ~MappedBracket();
  MappedBracket(const MappedBracket&) = delete;
  MappedBracket& operator=(const MappedBracket&) = delete;

 private:
  dax::AddressSpace* space_ = nullptr;
  const uint64_t first_page_;
  const uint64_t page_count_;
};

}  // namespace daxlab::xfslike
