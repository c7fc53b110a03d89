// mmap, mprotect and madvise as bare system calls, for page tables changed inside a fault handler: past the interposers of
// sanitizers and of the no-allocation check, which forbid the library's functions there. Async-signal-safe; errors are values,
// errno is not used.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "engines/base/result.h"

namespace daxlab::dax {

/// The kernel's return value: negative is an errno.
inline long raw_syscall(long number, long a, long b, long c, long d = 0, long e = 0, long f = 0) {
#if defined(__x86_64__)
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#else
  const long result = syscall(number, a, b, c, d, e, f);
  return result == -1 ? -errno : result;
#endif
}

inline Result<void> raw_result(long result) {
  if (result < 0 && result > -4096) return errc_from_errno(static_cast<int>(-result));
  return {};
}

inline long raw_address(const std::byte* address) { return static_cast<long>(reinterpret_cast<uintptr_t>(address)); }

/// MAP_FIXED only: the address asked for is the address got.
inline Result<void> raw_mmap(std::byte* address, uint64_t size_bytes, int protection, int flags, int fd, uint64_t offset) {
  return raw_result(raw_syscall(SYS_mmap, raw_address(address), static_cast<long>(size_bytes), protection, flags, fd,
                                static_cast<long>(offset)));
}
inline Result<void> raw_mprotect(std::byte* address, uint64_t size_bytes, int protection) {
  return raw_result(raw_syscall(SYS_mprotect, raw_address(address), static_cast<long>(size_bytes), protection));
}
inline Result<void> raw_madvise(std::byte* address, uint64_t size_bytes, int advice) {
  return raw_result(raw_syscall(SYS_madvise, raw_address(address), static_cast<long>(size_bytes), advice));
}
inline Result<void> raw_ioctl(int fd, unsigned long request, void* argument) {
  return raw_result(raw_syscall(SYS_ioctl, fd, static_cast<long>(request), raw_address(static_cast<std::byte*>(argument))));
}

/// Reads one byte, so that the page is mapped; not optimised away.
inline void touch_byte(const std::byte* at) {
  static_cast<void>(__atomic_load_n(reinterpret_cast<const unsigned char*>(at), __ATOMIC_RELAXED));
}

}  // namespace daxlab::dax
