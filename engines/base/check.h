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

#if !defined(NDEBUG) || defined(DAXLAB_SANITIZED)
#define DAXLAB_CHECKED 1  ///< Whether this build has the checks that a measured build cannot afford.
#else
#define DAXLAB_CHECKED 0
#endif

#if DAXLAB_CHECKED
#define DAXLAB_DCHECK(condition) DAXLAB_CHECK(condition)
#else
#define DAXLAB_DCHECK(condition) static_cast<void>(0)
#endif
