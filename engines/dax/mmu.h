// Page tables for user mappings: who installs, removes and re-protects entries, and how a fault reaches us.
//
//   uffd     memfd or tmpfs: userfaultfd minor faults delivered as SIGBUS, entries by UFFDIO_CONTINUE, write tracking by
//            CONTINUE_MODE_WP and UFFDIO_WRITEPROTECT (Linux >= 6.4)
//   sigsegv  any mappable file (fsdax): SIGSEGV, mmap(MAP_FIXED) of the page, mprotect for write tracking
//   soft     no page tables at all: a window is a table in DRAM and accesses go through load()/store(); devdax, scale, crash runs
// One Mmu per mounted engine; a process-wide signal handler finds the window by address. After fork() there are no upcalls in the
// child: it finds every window inaccessible (arena.h).
//
// Threads: install, remove and protect of a page are serialised by its entry's lock (address_space.h); of different pages they
// run side by side, also in signal handlers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engines/base/result.h"
#include "engines/dax/page_source.h"
#include "engines/pmem/region.h"

namespace daxlab::dax {

class AddressSpace;
class PageTable;

inline constexpr uint64_t kHugePages = kHugeBytes / kBlockBytes;  ///< Small pages of a 2 MiB entry.

enum class MmuKind : uint8_t { kUffd, kSigsegv, kSoft };
const char* name(MmuKind kind);
Result<MmuKind> parse_mmu(std::string_view text);  ///< "uffd", "sigsegv", "soft".

/// One user mapping: a reserved address range that covers pages of one file.
struct Window {
  std::byte* address = nullptr;  ///< Null under the software MMU.
  uint64_t first_page = 0;       ///< File page at `address`.
  uint64_t page_count = 0;
  bool writable = false;
  bool faults_by_sigbus = false;  ///< Userfaultfd reports so; elsewhere SIGBUS means that the medium itself is gone.
  AddressSpace* space = nullptr;
  PageTable* table = nullptr;  ///< The Mmu's own: made by reserve(), freed by release().
};

class Mmu {
 public:
  virtual ~Mmu() = default;
  virtual MmuKind kind() const = 0;

  /// Reserves address space for `window` (fills in its address) and routes its faults to window.space. kNoMemory when out of
  /// windows.
  virtual Result<void> reserve(Window& window) = 0;
  virtual void release(Window& window) = 0;

  /// The run of file pages [page, page + count) lies at `frame`: lets the MMU map the extent in one go, so that later faults on
  /// it cost one entry each. Installs nothing. Callable from the fault handler.
  virtual Result<void> prepare(Window& window, uint64_t page, uint64_t page_count, std::byte* frame);

  /// Whether a fault on `page` should ask the engine for the whole run, for prepare(). Where it need not, one page is asked for,
  /// so that the engine locks no more of the file than that.
  virtual bool wants_extent(const Window& window, uint64_t page) const;

  /// Installs entries for pages [page, page + count) of the file at `frame` (null: zero page, read-only).
  /// `writable` false: a later store faults again. kHugePages pages are one 2 MiB entry and need can_map_huge(). Callable from
  /// the fault handler.
  virtual Result<void> install(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) = 0;
  /// Removes entries; a later access faults. Returns how many small or huge entries there were.
  virtual uint64_t remove(Window& window, uint64_t page, uint64_t page_count) = 0;
  /// Makes present entries read-only; a later store faults. Returns how many entries allowed stores before.
  virtual uint64_t protect(Window& window, uint64_t page, uint64_t page_count) = 0;

  /// Whether an entry is installed that permits the access.
  bool allows(const Window& window, uint64_t page, Access access) const;
  /// Whether file page `page`, the first of a 2 MiB entry, at `frame` can be mapped by one: all three aligned, the frame
  /// huge-backed.
  virtual bool can_map_huge(const Window& window, uint64_t page, const std::byte* frame) const;

  /// The best kind this region and kernel allow, or `wanted` ("auto" or a kind); kMissingFacility says why not and what would
  /// help.
  static Result<std::unique_ptr<Mmu>> create(const pmem::Region& region, std::string_view wanted = "auto");
  /// Why create() chose this kind, one line.
  const std::string& why() const { return why_; }

 private:
  std::string why_;
};

/// Whether `p` lies in any window: a buffer there may fault into an engine. One compare.
bool in_window(const void* p, size_t size_bytes);

}  // namespace daxlab::dax
