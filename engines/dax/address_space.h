// A file's mapped pages: which are present, dirty, locked; the struct address_space of a DAX file.
//
// Page index -> entry {present, writable, dirty, locked, huge}. Faults, writes and writeback of one file meet here, under a
// locking policy: kEntryLock as fs/dax.c (one lock bit per entry, waiters hashed), kExclusive (one lock for the file). An
// AddressSpace without mappings costs its owner one load (mapped()) and no memory beyond itself.
//
// Invariants:
//   1. A page table entry that allows stores exists only for a page whose entry is dirty.
//   2. An entry's lock is held while its page table entry is installed, removed or re-protected.
//   3. Between begin_write() and end_write() of a range no page of it is present, and faults on it wait.
//   4. A dirty page stays dirty when it is unmapped; mapped() stays true until it was written back or dropped.
//
// What the engine owes:
//   a. It calls map() under a lock that excludes its own writers of the file (from mapped() to end_write): whether a file is
//      mapped does not become true in the middle of a write. It may become false: an engine that skips begin_write because of
//      mapped() remembers that for end_write.
//   b. It calls begin_write, begin_truncate and writeback without any lock that its PageSource::begin or commit takes.
//   c. One range at a time per thread between begin and end; under kExclusive the file's lock is held in between.
//
// Threads: all methods from any thread; fault() also from a signal handler.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "engines/api/engine.h"
#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/dax/mmu.h"
#include "engines/dax/page_source.h"

namespace daxlab::dax {

enum class Policy : uint8_t { kEntryLock, kExclusive };
Result<Policy> parse_policy(std::string_view text);  ///< "entry-lock", "exclusive".
const char* name(Policy policy);

class AddressSpace {
  struct State;

 public:
  /// Borrows both; they outlive it.
  AddressSpace(Mmu& mmu, PageSource& source, Policy policy);
  ~AddressSpace();  ///< No mapping may be left. Dirty pages that were never written back are forgotten.
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  /// Whether anything is mapped, or dirty through a mapping that is gone: the only thing an unmapped file's write path pays for.
  bool mapped() const { return mappings_.load(std::memory_order_acquire) != 0; }

  /// A user mapping of [offset, offset + size), offset on a page boundary. Beyond the end of the file accesses raise SIGBUS.
  /// `keep_alive` is let go of after the window is gone: what the mapping needs (the inode) may hang on it.
  Result<std::unique_ptr<Mapping>> map(uint64_t offset, uint64_t size_bytes, bool writable,
                                       std::shared_ptr<void> keep_alive = nullptr);

  /// An engine that will move or free blocks of the range calls this first: removes page table entries, locks the entries, and
  /// writes back what was dirty, so that the engine may read the range from the medium. Faults wait until end_write().
  void begin_write(uint64_t first_page, uint64_t page_count);
  /// The same for a truncate or a hole that drops the pages: what was dirty is forgotten, not written back. Ends with end_write()
  /// too.
  void begin_truncate(uint64_t first_page, uint64_t page_count);
  void end_write(uint64_t first_page, uint64_t page_count);

  /// Inside a WriteScope: removes the page table entries of a range whose blocks are new, waiting for faults in progress; later
  /// ones find the blocks.
  void invalidate(uint64_t first_page, uint64_t page_count);

  /// Around a write in place: under kExclusive the file's lock, under kEntryLock nothing.
  class WriteScope {
   public:
    explicit WriteScope(AddressSpace& space);
    ~WriteScope();
    WriteScope(const WriteScope&) = delete;
    WriteScope& operator=(const WriteScope&) = delete;

   private:
    State* const state_;
    const ScopedLockScope scope_{LockScope::kWrite};
  };

  /// Flushes the lines of dirty pages in the range and makes them read-only again, so that the next store faults. Then asks the
  /// source to commit. The caller fences nothing: it is done here. Traced as fsync_begin and fsync_end.
  Result<void> writeback(uint64_t first_page, uint64_t page_count);

  /// Serves one fault at file page `page`, which lies in `window`; false when it cannot be served: beyond the end, no space
  /// (SIGBUS).
  bool fault(Window& window, uint64_t page, Access access);

 private:
  friend class DaxMapping;
  void take_range(State& state, uint64_t first_page, uint64_t end, bool keep_data);
  void begin_range(uint64_t first_page, uint64_t page_count, bool keep_data);
  void write_back_dirty(uint64_t first_page, uint64_t page_count);
  Result<bool> serve(Window& window, uint64_t page, Access access);
  void unmap(Window& window);
  Result<void> soft_access(Window& window, uint64_t offset, std::byte* bytes, size_t size_bytes, Access access);

  Mmu& mmu_;
  PageSource& source_;
  const Policy policy_;
  std::unique_ptr<State> state_;  // made by the first map()
  std::atomic<uint64_t> mappings_{0};
};

}  // namespace daxlab::dax
