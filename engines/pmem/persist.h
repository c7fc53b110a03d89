// The door to persistent memory: every store, load, flush and fence of an engine on its medium goes through here.
// It is the only file with a persistence intrinsic.
//
// Each primitive counts (engines/base/counters.h) and then asks one predicted branch whether anything watches: an emulation
// profile that delays, or a recorder that takes every event for crash images. Thread-safe as the stores themselves are.
//
// Persistence model (x86): a stored line becomes durable when it was flushed and a later fence ran, and may become
// durable at any time before; 8 aligned bytes are atomic; stores to one line become durable in program order. Streaming
// stores (non-temporal) are unordered until a fence. On eADR platforms flush() does nothing and only order counts.
//
// In the mutants build each call site has a number and can be switched off (engines/pmem/mutants.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engines/base/account.h"
#include "engines/base/check.h"
#include "engines/base/counters.h"
#include "engines/base/units.h"

namespace daxlab::pmem {

/// What a call site does: half of a mutant's key, the other half being its Site.
enum class Primitive : uint8_t { kCommit, kFlush, kFence, kStreamFlush };

#if DAXLAB_MUTANTS
/// Where a persist primitive was called from: its key in the list of mutants.
struct Site {
  const char* file;
  int line;
  // Implicit and with defaults, so that `Site site = {}` as a default argument names the caller.
  constexpr Site(const char* f = __builtin_FILE(), int l = __builtin_LINE()) : file(f), line(l) {}
};
#else
struct Site {};
#endif

enum class FlushInstruction : uint8_t { kClwb, kClflushopt, kClflush, kNone };
const char* name(FlushInstruction instruction);

/// State of the door. Changed only while no engine is mounted.
struct Door {
  FlushInstruction instruction;  ///< By CPUID: clwb, else clflushopt, else clflush; kNone under an eADR profile.
  bool avx512;                   ///< Streaming copies by 64-byte stores.
  bool watched;                  ///< An emulation profile delays or a recorder listens.
};
extern constinit Door g_door;

/// Chooses instructions by CPUID; called once by Region::open. Idempotent.
void init_door();

namespace detail {                                           // out of line: the watched paths and the streaming loops
void store_watched(void* to, size_t size_bytes, Site site);  // after the bytes are in place
void load_watched(const void* from, size_t size_bytes);
void flush_watched(const void* from, size_t size_bytes, Site site);
void fence_watched(Site site);
void flush_lines(const void* from, size_t size_bytes);
void fence_now();
void stream_copy(void* to, const void* from, size_t size_bytes, Site site);
void stream_fill(void* to, std::byte value, size_t size_bytes, Site site);
void stream_words(void* to, const uint32_t* first, const void* from, size_t size_bytes, Site site);
void commit_watched(uint64_t* to, uint64_t value, Site site);  // after the store
// Mutants build only (engines/pmem/mutants.h).
bool mutated(Primitive primitive, Site site, const void* from = nullptr, size_t size_bytes = 0);  // true: leave it out
void flush_deferred();                                                                            // after a fence
}  // namespace detail

/// Lines touched by [p, p + size_bytes).
inline uint64_t lines_of(const void* p, size_t size_bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(p);
  return size_bytes == 0 ? 0 : (begin + size_bytes - 1) / kCacheLineBytes - begin / kCacheLineBytes + 1;
}

/// Cached store of `size_bytes` from DRAM. Not durable until flushed and fenced.
inline void store_bytes(void* to, const void* from, size_t size_bytes, Site site = {}) {
  std::memcpy(to, from, size_bytes);
  count(Counter::stored_bytes, size_bytes);
  if (DAXLAB_UNLIKELY(g_door.watched)) detail::store_watched(to, size_bytes, site);
}
inline void store_fill(void* to, std::byte value, size_t size_bytes, Site site = {}) {
  std::memset(to, static_cast<int>(value), size_bytes);
  count(Counter::stored_bytes, size_bytes);
  if (DAXLAB_UNLIKELY(g_door.watched)) detail::store_watched(to, size_bytes, site);
}
template <typename T>
void store(T* to, const T& value, Site site = {}) {
  static_assert(std::is_trivially_copyable_v<T>);
  store_bytes(to, &value, sizeof(T), site);
}
/// The store that commits: 8 aligned bytes, released after every earlier store of this thread, visible and durable as one.
inline void store_commit(uint64_t* to, uint64_t value, Site site = {}) {
  DAXLAB_DCHECK(reinterpret_cast<uintptr_t>(to) % 8 == 0);
#if DAXLAB_MUTANTS
  if (detail::mutated(Primitive::kCommit, site)) return;
#endif
  __atomic_store_n(to, value, __ATOMIC_RELEASE);
  count(Counter::stored_bytes, 8);
  if (DAXLAB_UNLIKELY(g_door.watched)) detail::commit_watched(to, value, site);
}

/// A counted load: lines read from the medium are what a cost model charges. Recovery must read through here, so that the
/// crash laboratory knows which lines a recovery depends on.
inline void load_bytes(void* to, const void* from, size_t size_bytes) {
  std::memcpy(to, from, size_bytes);
  count(Counter::pmem_lines_loaded, lines_of(from, size_bytes));
  if (DAXLAB_UNLIKELY(g_door.watched)) detail::load_watched(from, size_bytes);
}
template <typename T>
T load(const T* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  load_bytes(&value, from, sizeof(T));
  return value;
}
/// Declares that [from, from + size_bytes) is about to be read in place.
inline void touch(const void* from, size_t size_bytes) {
  count(Counter::pmem_lines_loaded, lines_of(from, size_bytes));
  if (DAXLAB_UNLIKELY(g_door.watched)) detail::load_watched(from, size_bytes);
}

/// Starts writing back every line of [from, from + size_bytes). Durable after the next fence().
inline void flush(const void* from, size_t size_bytes, Site site = {}) {
#if DAXLAB_MUTANTS
  if (detail::mutated(Primitive::kFlush, site, from, size_bytes)) return;
#endif
  count(Counter::lines_flushed, lines_of(from, size_bytes));
  if (DAXLAB_UNLIKELY(g_door.watched)) return detail::flush_watched(from, size_bytes, site);
  const AccountScope scope(Phase::kFlush);
  detail::flush_lines(from, size_bytes);
}

/// Orders and completes every earlier flush and streaming store of this thread.
inline void fence(Site site = {}) {
#if DAXLAB_MUTANTS
  if (detail::mutated(Primitive::kFence, site)) return;
#endif
  count(Counter::fences);
  if (DAXLAB_UNLIKELY(g_door.watched)) {
    detail::fence_watched(site);
  } else {
    const AccountScope scope(Phase::kFence);
    detail::fence_now();
  }
#if DAXLAB_MUTANTS
  detail::flush_deferred();
#endif
}

inline void persist(const void* from, size_t size_bytes, Site site = {}) {
  flush(from, size_bytes, site);
  fence(site);
}

/// Non-temporal copy to the medium. Edges that do not fill a 64-byte line are stored and flushed, so that after the next
/// fence() all of it is durable. Best from 512 B up (Yang et al., FAST 2020, figure 12).
inline void stream(void* to, const void* from, size_t size_bytes, Site site = {}) {
  detail::stream_copy(to, from, size_bytes, site);
}
inline void stream_zero(void* to, size_t size_bytes, Site site = {}) { detail::stream_fill(to, std::byte{0}, size_bytes, site); }

/// Non-temporal copy of what a medium gets in many small pieces: `to` and `size_bytes` are multiples of 4, and edges go past the
/// cache as the middle does, in words. So a line that several pieces share is neither read nor flushed, once for each of them; the
/// processor's write-combining buffers join the pieces. Durable after the next fence().
inline void stream_words(void* to, const void* from, size_t size_bytes, Site site = {}) {
  detail::stream_words(to, nullptr, from, size_bytes, site);
}
/// The same with `first` in place of the first four bytes of `from`, which never reach the medium.
inline void stream_words(void* to, uint32_t first, const void* from, size_t size_bytes, Site site = {}) {
  detail::stream_words(to, &first, from, size_bytes, site);
}

}  // namespace daxlab::pmem
