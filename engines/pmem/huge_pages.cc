#include "engines/pmem/huge_pages.h"

#include <sys/mman.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engines/base/units.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace daxlab::pmem {

namespace {

/// Collapses every whole 2 MiB of `bytes`; what cannot be is left for map_populated().
void collapse(std::span<std::byte> bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t first = align_up(begin, kHugeBytes);
  const uintptr_t end = align_down(begin + bytes.size(), kHugeBytes);
  for (uintptr_t unit = first; unit < end; unit += kHugeBytes) {
    auto* address = reinterpret_cast<std::byte*>(unit);
    // A unit with no page at all cannot be collapsed: one byte is touched.
    *reinterpret_cast<volatile std::byte*>(address) = *reinterpret_cast<const volatile std::byte*>(address);
    if (::madvise(address, kHugeBytes, MADV_COLLAPSE) != 0 && errno == EINVAL) return;
  }
}

}  // namespace

Result<void> map_populated(std::span<std::byte> bytes) {
  if (::madvise(bytes.data(), bytes.size(), MADV_POPULATE_WRITE) == 0) return {};
  if (errno == ENOMEM || errno == EFAULT) {
    return Error(Errc::kNoMemory, "dram: not enough memory for " + format_size(bytes.size()) + ": " + std::strerror(errno));
  }
  // Kernels before 5.14 have no MADV_POPULATE_WRITE.
  for (size_t at = 0; at < bytes.size(); at += kBlockBytes) {
    auto* byte = reinterpret_cast<volatile std::byte*>(bytes.data() + at);
    *byte = *byte;
  }
  return {};
}

Result<void> populate(std::span<std::byte> bytes) {
  collapse(bytes);
  return map_populated(bytes);
}

bool mapped_huge(std::span<const std::byte> bytes) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/smaps", "re"), &std::fclose);
  if (file == nullptr) return false;
  const auto wanted = reinterpret_cast<uintptr_t>(bytes.data());
  char line[512];
  bool inside = false;
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    uint64_t kib = 0;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) {
      inside = begin <= wanted && wanted < end;
    } else if (inside && std::sscanf(line, "ShmemPmdMapped: %" SCNu64, &kib) == 1) {
      return kib != 0 && kib * kKiB >= align_down(bytes.size(), kHugeBytes);
    }
  }
  return false;
}

}  // namespace daxlab::pmem
