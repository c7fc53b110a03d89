// Interposers that make a NoAllocZone bite: malloc and its kin, operator new (which calls malloc) and the mapping calls abort
// inside one.
//
// Linked by the tests that want it, never by the program and never under a sanitizer, which interposes the same names.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "engines/base/no_alloc_zone.h"

// glibc's own entry points: no look-up, so that the very first allocation of a process works too.
extern "C" {
void* __libc_malloc(size_t size);                      // NOLINT: glibc's names
void* __libc_calloc(size_t count, size_t size);        // NOLINT
void* __libc_realloc(void* old, size_t size);          // NOLINT
void* __libc_memalign(size_t alignment, size_t size);  // NOLINT
void __libc_free(void* old);                           // NOLINT
}

namespace {

/// Without stdio, which allocates.
void forbid(const char* call) {
  if (__builtin_expect(daxlab::t_no_alloc_depth == 0, 1)) return;
  daxlab::t_no_alloc_depth = 0;
  for (const char* text : {"daxlab: ", call, " inside a no-allocation zone\n"}) {
    if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  }
  std::abort();
}

}  // namespace

bool daxlab::no_alloc_zone_enforced() { return true; }

extern "C" {

void* malloc(size_t size) {
  forbid("malloc");
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  forbid("calloc");
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  forbid("realloc");
  return __libc_realloc(old, size);
}
void free(void* old) {
  if (old != nullptr) forbid("free");
  __libc_free(old);
}
void* memalign(size_t alignment, size_t size) {
  forbid("memalign");
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  forbid("aligned_alloc");
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  forbid("posix_memalign");
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  forbid("mmap");
  return reinterpret_cast<void*>(::syscall(SYS_mmap, address, size, protection, flags, fd, offset));
}
int munmap(void* address, size_t size) noexcept {
  forbid("munmap");
  return static_cast<int>(::syscall(SYS_munmap, address, size));
}
int mprotect(void* address, size_t size, int protection) noexcept {
  forbid("mprotect");
  return static_cast<int>(::syscall(SYS_mprotect, address, size, protection));
}

}  // extern "C"
