// A file's mappings: the address space that dax keeps and the translation that native gives it.
//
// begin() holds the stripes of the run until end(), so that nobody moves its blocks meanwhile. A writer that will move or free blocks of
// a mapped file brackets itself with a MappedBracket before it takes its stripes.
//
// Threads: begin() and end() also in a signal handler on the faulting thread: no heap allocation, no lock that is held while
// user memory is touched (buffers inside a mapping are bounced).
#pragma once

#include <memory>

#include "engines/dax/address_space.h"
#include "engines/dax/page_source.h"
#include "engines/native/file_data.h"

namespace daxlab::native {

class MappedFile final : public dax::PageSource {
 public:
  MappedFile(FileSystem& fs, Inode& inode);
  ~MappedFile();

  Result<dax::PageRange> begin(uint64_t page, uint64_t pages_max, dax::Access access) override;
  void end(const dax::PageRange& range, dax::Access access) override;
  Result<void> commit(uint64_t first_page, uint64_t page_count) override;
  uint64_t page_limit() const override;

  dax::AddressSpace& space() { return space_; }

 private:
  Result<void> fill_hole(uint64_t page);
  void zero_behind_end(uint64_t page, uint32_t block);

  FileSystem& fs_;
  Inode& inode_;
  std::atomic<bool> stored_{false};  // a page was handed out for stores since the last commit()
  dax::AddressSpace space_;
};

/// Whether anything is mapped: one load for a file that never was.
inline bool is_mapped(const Inode& inode) {
  MappedFile* const mapped = inode.mapped.load(std::memory_order_acquire);
  return mapped != nullptr && mapped->space().mapped();
}

Result<std::unique_ptr<Mapping>> map_file(FileSystem& fs, Inode& inode, uint64_t offset, uint64_t size_bytes, bool writable);
/// fsync(2): what mappings left dirty.
Result<void> sync_file(Inode& inode);

/// begin_write() to end_write() around a change of a mapped file; nothing for any other. To be made before stripes are taken; the caller then
/// asks missed(): the file was mapped in between and it has to begin again.
class MappedBracket {
 public:
  enum class Data : uint8_t { kKeep, kDrop };
  MappedBracket(Inode& inode, uint64_t first_page, uint64_t page_count, Data data = Data::kKeep);
  ~MappedBracket();
  MappedBracket(const MappedBracket&) = delete;
  MappedBracket& operator=(const MappedBracket&) = delete;
  bool active() const { return space_ != nullptr; }
  bool missed() const { return space_ == nullptr && is_mapped(inode_); }
  bool covers(uint64_t first_page, uint64_t page_count) const {
    return space_ == nullptr || (first_page >= first_page_ && first_page + page_count <= first_page_ + page_count_);
  }

 private:
  Inode& inode_;
  dax::AddressSpace* space_ = nullptr;
  uint64_t first_page_;
  uint64_t page_count_;
};

}  // namespace daxlab::native
