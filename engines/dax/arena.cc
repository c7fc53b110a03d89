#include "engines/dax/arena.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "engines/base/mutex.h"
#include "engines/base/units.h"
#include "engines/dax/fault_handler.h"
#include "engines/dax/raw_mman.h"

namespace daxlab::dax {
namespace {

constexpr uint64_t kArenaBytes = 256 * kGiB;  // address space, not memory: 131,072 slots, above the kernel's limit on mappings
constexpr uint64_t kSlots = kArenaBytes / kHugeBytes;
constexpr uintptr_t kNowhere = uintptr_t{1} << 63;  // no user address lies within kArenaBytes of it

// The start of the arena. Written once, under g_mutex, before any window exists.
constinit std::atomic<uintptr_t> g_base{kNowhere};
constinit std::atomic<bool> g_forked{false};
std::atomic<Window*> g_slots[kSlots];

Mutex g_mutex;
uint64_t g_next_slot DAXLAB_GUARDED_BY(g_mutex) = 0;  // next-fit

void on_fork_in_child() {
  g_forked.store(true, std::memory_order_relaxed);
  const uintptr_t base = g_base.load(std::memory_order_relaxed);
  // Nothing can be reported from here; should it fail, the handler still refuses faults in the child.
  static_cast<void>(arena::blank(reinterpret_cast<std::byte*>(base), kArenaBytes));
}

Result<void> make_arena() DAXLAB_REQUIRES(g_mutex) {
  void* raw = mmap(nullptr, kArenaBytes + kHugeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) {
    return Error(Errc::kNoMemory, fmt::format("no {} of address space for mapped files ({}); raise `ulimit -v`",
                                              format_size(kArenaBytes), std::strerror(errno)));
  }
  if (pthread_atfork(nullptr, nullptr, on_fork_in_child) != 0) return Error(Errc::kNoMemory, "pthread_atfork failed");
  g_base.store(align_up(reinterpret_cast<uintptr_t>(raw), kHugeBytes), std::memory_order_release);
  return {};
}

uint64_t slots_of(const Window& window) { return div_up(window.first_page % kHugePages + window.page_count, kHugePages); }

/// The first of `count` free slots in a row from `from` on, or kSlots.
uint64_t find_free(uint64_t from, uint64_t count) DAXLAB_REQUIRES(g_mutex) {
  uint64_t run = 0;
  for (uint64_t slot = from; slot < kSlots; ++slot) {
    run = g_slots[slot].load(std::memory_order_relaxed) == nullptr ? run + 1 : 0;
    if (run == count) return slot + 1 - count;
  }
  return kSlots;
}

}  // namespace

bool in_window(const void* p, size_t size_bytes) {
  const uintptr_t last = reinterpret_cast<uintptr_t>(p) + size_bytes - 1;
  return last - g_base.load(std::memory_order_acquire) < kArenaBytes + size_bytes - 1;
}

namespace arena {

Result<void> reserve(Window& window) {
  DAXLAB_TRY(install_fault_handler());
  const uint64_t count = slots_of(window);
  const MutexLock lock(g_mutex);
  if (g_base.load(std::memory_order_relaxed) == kNowhere) DAXLAB_TRY(make_arena());
  uint64_t slot = find_free(g_next_slot, count);
  if (slot == kSlots) slot = find_free(0, count);
  if (slot == kSlots) {
    return Error(Errc::kNoMemory, fmt::format("no room for a mapping of {} among those that exist; {} in all",
                                              format_size(window.page_count * kBlockBytes), format_size(kArenaBytes)));
  }
  g_next_slot = slot + count;
  const uintptr_t base = g_base.load(std::memory_order_relaxed);
  window.address = reinterpret_cast<std::byte*>(base + slot * kHugeBytes + window.first_page % kHugePages * kBlockBytes);
  for (uint64_t i = 0; i < count; ++i) g_slots[slot + i].store(&window, std::memory_order_release);
  return {};
}

void release(Window& window) {
  const auto blanked = blank(window.address, window.page_count * kBlockBytes);
  DAXLAB_CHECK(blanked.ok());
  const uint64_t slot = (reinterpret_cast<uintptr_t>(window.address) - g_base.load(std::memory_order_relaxed)) / kHugeBytes;
  const MutexLock lock(g_mutex);
  for (uint64_t i = 0; i < slots_of(window); ++i) g_slots[slot + i].store(nullptr, std::memory_order_release);
}

Window* find(const void* p) {
  const uintptr_t offset = reinterpret_cast<uintptr_t>(p) - g_base.load(std::memory_order_acquire);
  if (offset >= kArenaBytes) return nullptr;
  Window* window = g_slots[offset / kHugeBytes].load(std::memory_order_acquire);
  if (window == nullptr) return nullptr;
  const auto in_bytes = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(window->address));
  return in_bytes < window->page_count * kBlockBytes ? window : nullptr;
}

bool forked() { return g_forked.load(std::memory_order_relaxed); }

Result<void> blank(std::byte* address, uint64_t size_bytes) {
  return raw_mmap(address, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

}  // namespace arena
}  // namespace daxlab::dax
