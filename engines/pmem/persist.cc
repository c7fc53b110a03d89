#include "engines/pmem/persist.h"

#include <cpuid.h>
#include <immintrin.h>

#include <algorithm>

#include "engines/pmem/watch.h"

namespace daxlab::pmem {

constinit Door g_door = {FlushInstruction::kClflush, false, false};

const char* name(FlushInstruction instruction) {
  switch (instruction) {
    case FlushInstruction::kClwb:
      return "clwb";
    case FlushInstruction::kClflushopt:
      return "clflushopt";
    case FlushInstruction::kClflush:
      return "clflush";
    case FlushInstruction::kNone:
      return "none";
  }
  return "unknown";
}

namespace detail {

constinit Delays g_delays;
constinit double g_spin_overhead_ticks = 0;

namespace {

/// Whether this thread's next fence has something to wait for; kept only while a profile delays.
constinit thread_local bool t_pending = false;
constinit thread_local double t_debt_ticks = 0;

constinit Listener* g_listener = nullptr;  // head of a list

template <typename Call>
void tell(const Call& call) {
  for (Listener* listener = g_listener; listener != nullptr; listener = listener->next) call(*listener);
}

__attribute__((target("clwb"))) void clwb_lines(uintptr_t line, uintptr_t end) {
  for (; line < end; line += kCacheLineBytes) _mm_clwb(reinterpret_cast<void*>(line));
}
__attribute__((target("clflushopt"))) void clflushopt_lines(uintptr_t line, uintptr_t end) {
  for (; line < end; line += kCacheLineBytes) _mm_clflushopt(reinterpret_cast<void*>(line));
}
void clflush_lines(uintptr_t line, uintptr_t end) {
  for (; line < end; line += kCacheLineBytes) _mm_clflush(reinterpret_cast<const void*>(line));
}

}  // namespace

FlushInstruction cpu_flush_instruction() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) {
    if ((b & bit_CLWB) != 0) return FlushInstruction::kClwb;
    if ((b & bit_CLFLUSHOPT) != 0) return FlushInstruction::kClflushopt;
  }
  return FlushInstruction::kClflush;
}

void add_listener(Listener& listener) {
  listener.next = g_listener;
  g_listener = &listener;
  update_watched();
}

void remove_listener(Listener& listener) {
  for (Listener** link = &g_listener; *link != nullptr; link = &(*link)->next) {
    if (*link != &listener) continue;
    *link = listener.next;
    break;
  }
  update_watched();
}

void update_watched() { g_door.watched = g_delays.any() || g_listener != nullptr; }

void spin(double tick_count) {
  t_debt_ticks += tick_count;
  if (t_debt_ticks <= g_spin_overhead_ticks) return;
  const uint64_t began = ticks();
  const double wanted = t_debt_ticks - g_spin_overhead_ticks;
  uint64_t passed = 0;
  do {
    passed = ticks() - began;
  } while (static_cast<double>(passed) < wanted);
  // An overshoot is credit for the next call, but only the clock's own: a preempted spin has paid for nothing that follows.
  constexpr double kCreditTicks = 200;
  t_debt_ticks = std::max(wanted - static_cast<double>(passed), -kCreditTicks);
}

void flush_lines(const void* from, size_t size_bytes) {
  if (size_bytes == 0) return;
  const auto address = reinterpret_cast<uintptr_t>(from);
  const uintptr_t line = address & ~uintptr_t{kCacheLineBytes - 1};
  const uintptr_t end = address + size_bytes;
  switch (g_door.instruction) {
    case FlushInstruction::kClwb:
      return clwb_lines(line, end);
    case FlushInstruction::kClflushopt:
      return clflushopt_lines(line, end);
    case FlushInstruction::kClflush:
      return clflush_lines(line, end);
    case FlushInstruction::kNone:
      return;
  }
}

// Not std::atomic_thread_fence: an sfence orders stores towards the medium and synchronises no threads.
void fence_now() { _mm_sfence(); }

void store_watched(void* to, size_t size_bytes, Site site) {
  tell([&](Listener& listener) { listener.on_store(to, size_bytes, false, site); });
}

void commit_watched(uint64_t* to, uint64_t value, Site site) {
  tell([&](Listener& listener) { listener.on_commit(to, value, site); });
}

void load_watched(const void* from, size_t size_bytes) {
  tell([&](Listener& listener) { listener.on_load(from, size_bytes); });
}

void flush_watched(const void* from, size_t size_bytes, Site site) {
  const AccountScope scope(Phase::kFlush);
  flush_lines(from, size_bytes);
  tell([&](Listener& listener) { listener.on_flush(from, size_bytes, site); });
  if (g_delays.any() && size_bytes != 0) {
    t_pending = true;
    spin(g_delays.flush_line_ticks * static_cast<double>(lines_of(from, size_bytes)));
  }
}

void fence_watched(Site site) {
  const AccountScope scope(Phase::kFence);
  fence_now();
  tell([&](Listener& listener) { listener.on_fence(site); });
  if (t_pending) {
    t_pending = false;
    spin(g_delays.fence_ticks);
  }
}

namespace {

// Streaming loops over whole lines: `to` is on a line boundary, `size_bytes` a multiple of a line.

__attribute__((target("avx512f"))) void stream_lines_512(std::byte* to, const std::byte* from, size_t size_bytes) {
  const std::byte* const end = to + size_bytes;
  for (; end - to >= 256; to += 256, from += 256) {
    const __m512i a = _mm512_loadu_si512(from);
    const __m512i b = _mm512_loadu_si512(from + 64);
    const __m512i c = _mm512_loadu_si512(from + 128);
    const __m512i d = _mm512_loadu_si512(from + 192);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), a);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + 64), b);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + 128), c);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + 192), d);
  }
  for (; to < end; to += 64, from += 64) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
  }
}

__attribute__((target("avx512f"))) void fill_lines_512(std::byte* to, std::byte value, size_t size_bytes) {
  const __m512i pattern = _mm512_set1_epi32(static_cast<int>(0x01010101u * static_cast<uint32_t>(value)));
  for (const std::byte* const end = to + size_bytes; to < end; to += 64) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), pattern);
  }
}

void stream_lines_128(std::byte* to, const std::byte* from, size_t size_bytes) {
  for (const std::byte* const end = to + size_bytes; to < end; to += 64, from += 64) {
    const auto* source = reinterpret_cast<const __m128i*>(from);
    auto* target = reinterpret_cast<__m128i*>(to);
    const __m128i a = _mm_loadu_si128(source);
    const __m128i b = _mm_loadu_si128(source + 1);
    const __m128i c = _mm_loadu_si128(source + 2);
    const __m128i d = _mm_loadu_si128(source + 3);
    _mm_stream_si128(target, a);
    _mm_stream_si128(target + 1, b);
    _mm_stream_si128(target + 2, c);
    _mm_stream_si128(target + 3, d);
  }
}

void fill_lines_128(std::byte* to, std::byte value, size_t size_bytes) {
  const __m128i pattern = _mm_set1_epi8(static_cast<char>(value));
  for (const std::byte* const end = to + size_bytes; to < end; to += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), pattern);
  }
}

/// [to, to + size) cut into an edge before the first whole line, whole lines, and an edge behind them.
struct Cut {
  size_t head;
  size_t middle;
  size_t tail;
};

Cut cut_lines(const void* to, size_t size_bytes) {
  const size_t misaligned = reinterpret_cast<uintptr_t>(to) % kCacheLineBytes;
  const size_t to_boundary = misaligned == 0 ? 0 : kCacheLineBytes - misaligned;
  if (size_bytes < to_boundary) return {size_bytes, 0, 0};
  const size_t middle = align_down(size_bytes - to_boundary, kCacheLineBytes);
  return {to_boundary, middle, size_bytes - to_boundary - middle};
}

/// After an edge's bytes were stored: counts, flushes, and tells who watches.
void finish_edge(void* to, size_t size_bytes, Site site) {
  count(Counter::stored_bytes, size_bytes);
  if (DAXLAB_UNLIKELY(g_door.watched)) store_watched(to, size_bytes, site);
#if DAXLAB_MUTANTS
  if (mutated(Primitive::kStreamFlush, site, to, size_bytes)) return;
#endif
  count(Counter::lines_flushed, lines_of(to, size_bytes));
  if (DAXLAB_UNLIKELY(g_door.watched)) return flush_watched(to, size_bytes, site);
  flush_lines(to, size_bytes);
}

void finish_middle(void* to, size_t size_bytes, Site site) {
  count(Counter::streamed_bytes, size_bytes);
  if (DAXLAB_LIKELY(!g_door.watched)) return;
  tell([&](Listener& listener) { listener.on_store(to, size_bytes, true, site); });
  if (g_delays.any()) {
    t_pending = true;
    spin(g_delays.stream_byte_ticks * static_cast<double>(size_bytes));
  }
}

}  // namespace

// Order: head stored and flushed, whole lines streamed, tail stored and flushed. None of it is ordered towards the medium
// before the caller's fence; a crash before that leaves any part of it.
void stream_copy(void* to, const void* from, size_t size_bytes, Site site) {
  const AccountScope scope(Phase::kCopy);
  auto* target = static_cast<std::byte*>(to);
  const auto* source = static_cast<const std::byte*>(from);
  const Cut cut = cut_lines(to, size_bytes);
  if (cut.head != 0) {
    std::memcpy(target, source, cut.head);
    finish_edge(target, cut.head, site);
  }
  if (cut.middle != 0) {
    const auto lines = g_door.avx512 ? stream_lines_512 : stream_lines_128;
    lines(target + cut.head, source + cut.head, cut.middle);
    finish_middle(target + cut.head, cut.middle, site);
  }
  if (cut.tail != 0) {
    const size_t at = cut.head + cut.middle;
    std::memcpy(target + at, source + at, cut.tail);
    finish_edge(target + at, cut.tail, site);
  }
}

namespace {

long long word_at(const std::byte* from) {
  long long word;
  std::memcpy(&word, from, sizeof word);
  return word;
}
int half_at(const std::byte* from) {
  int half;
  std::memcpy(&half, from, sizeof half);
  return half;
}

/// The first eight bytes with `first` in their low half, as one store: what stands there in `from` is on the medium at no time.
long long led_by(uint32_t first, const std::byte* from) {
  return static_cast<long long>((static_cast<uint64_t>(word_at(from)) & ~uint64_t{UINT32_MAX}) | first);
}

}  // namespace

// Order: none before the caller's fence; a crash before that leaves any part of it. A word of 8 bytes that lies in the copy as a whole
// is one store.
void stream_words(void* to, const uint32_t* first, const void* from, size_t size_bytes, Site site) {
  const AccountScope scope(Phase::kCopy);
  auto* target = static_cast<std::byte*>(to);
  const auto* source = static_cast<const std::byte*>(from);
  const std::byte* const end = target + size_bytes;
  DAXLAB_DCHECK(reinterpret_cast<uintptr_t>(to) % 4 == 0 && size_bytes % 4 == 0);
  const auto put_half = [&](int half) {
    _mm_stream_si32(reinterpret_cast<int*>(target), half);
    target += 4;
    source += 4;
  };
  const auto put_word = [&](long long word) {
    _mm_stream_si64(reinterpret_cast<long long*>(target), word);
    target += 8;
    source += 8;
  };
  const auto misaligned = [&](uintptr_t by) { return reinterpret_cast<uintptr_t>(target) % by != 0; };
  if (first != nullptr && size_bytes != 0) {
    if (misaligned(8) || size_bytes < 8)
      put_half(static_cast<int>(*first));
    else
      put_word(led_by(*first, source));
  }
  if (end - target >= 4 && misaligned(8)) put_half(half_at(source));
  while (end - target >= 8 && misaligned(kCacheLineBytes)) put_word(word_at(source));
  const size_t lines = align_down(static_cast<size_t>(end - target), kCacheLineBytes);
  if (lines != 0) {
    (g_door.avx512 ? stream_lines_512 : stream_lines_128)(target, source, lines);
    target += lines;
    source += lines;
  }
  while (end - target >= 8) put_word(word_at(source));
  if (end - target >= 4) put_half(half_at(source));
  if (size_bytes != 0) finish_middle(to, size_bytes, site);
}

void stream_fill(void* to, std::byte value, size_t size_bytes, Site site) {
  const AccountScope scope(Phase::kCopy);
  auto* target = static_cast<std::byte*>(to);
  const Cut cut = cut_lines(to, size_bytes);
  if (cut.head != 0) {
    std::memset(target, static_cast<int>(value), cut.head);
    finish_edge(target, cut.head, site);
  }
  if (cut.middle != 0) {
    const auto lines = g_door.avx512 ? fill_lines_512 : fill_lines_128;
    lines(target + cut.head, value, cut.middle);
    finish_middle(target + cut.head, cut.middle, site);
  }
  if (cut.tail != 0) {
    const size_t at = cut.head + cut.middle;
    std::memset(target + at, static_cast<int>(value), cut.tail);
    finish_edge(target + at, cut.tail, site);
  }
}

}  // namespace detail

void init_door() {
  // Not std::call_once: its state is a thread-local of the C++ library, which -ftls-model=local-exec (sanitizer presets) cannot reach.
  [[maybe_unused]] static const bool once = [] {
    g_door.instruction = detail::cpu_flush_instruction();
    g_door.avx512 = __builtin_cpu_supports("avx512f") != 0;
    return true;
  }();
}

}  // namespace daxlab::pmem
