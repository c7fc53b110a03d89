// DAXLAB_CHECK(condition): an invariant of daxlab itself, on in every build. A failure prints where and aborts.
// DAXLAB_DCHECK: the same for checks too dear for a measured build; on where NDEBUG is not set or a sanitizer runs.
//
// Never for input or for bytes read from media: those return an Error.
#pragma once

namespace daxlab {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace daxlab

#define DAXLAB_LIKELY(x) __builtin_expect(!!(x), 1)
#define DAXLAB_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define DAXLAB_CHECK(condition) \
  (DAXLAB_LIKELY(condition) ? static_cast<void>(0) : ::daxlab::check_failed(#condition, __FILE__, __LINE__))

#if !defined(NDEBUG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DAXLAB_DCHECK(condition) DAXLAB_CHECK(condition)
#else
#define DAXLAB_DCHECK(condition) static_cast<void>(0)
#endif
