#include "engines/dax/mmu_uffd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engines/dax/arena.h"
#include "engines/dax/raw_mman.h"

#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP (static_cast<__u64>(1) << 1)  // Linux 6.4, newer than Debian 12's header
#endif

namespace daxlab::dax {
namespace {

constexpr uint64_t kFeatures = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_SIGBUS |
                               UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;

uffdio_range range_of(const std::byte* address, uint64_t page_count) {
  return {static_cast<__u64>(reinterpret_cast<uintptr_t>(address)), page_count * kBlockBytes};
}

/// CONTINUE_MODE_WP came with Linux 6.4 and without a feature bit: asked of one page of the region.
Result<void> probe_continue_wp(int uffd, const pmem::Region& region) {
  void* raw = mmap(nullptr, kBlockBytes, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd(), 0);
  if (raw == MAP_FAILED) return Error(Errc::kMissingFacility, fmt::format("mmap of the medium: {}", std::strerror(errno)));
  auto* page = static_cast<std::byte*>(raw);
  uffdio_register request{};
  request.range = range_of(page, 1);
  request.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP;
  uffdio_continue install{};
  install.range = request.range;
  install.mode = UFFDIO_CONTINUE_MODE_WP;
  long failed = raw_syscall(SYS_ioctl, uffd, UFFDIO_REGISTER, raw_address(reinterpret_cast<std::byte*>(&request)));
  if (failed == 0) failed = raw_syscall(SYS_ioctl, uffd, UFFDIO_CONTINUE, raw_address(reinterpret_cast<std::byte*>(&install)));
  munmap(raw, kBlockBytes);
  if (failed == 0) return {};
  return Error(Errc::kMissingFacility,
               fmt::format("userfaultfd cannot track writes here ({}); Linux 6.4 or newer can, or use mmu=sigsegv",
                           std::strerror(static_cast<int>(-failed))));
}

}  // namespace

Result<std::unique_ptr<Mmu>> UffdMmu::create(const pmem::Region& region) {
  struct statfs fs {};
  if (fstatfs(region.fd(), &fs) != 0 || fs.f_type != TMPFS_MAGIC) {
    return Error(Errc::kMissingFacility, "userfaultfd serves only a memfd or a file on tmpfs; use mmu=sigsegv for this medium");
  }
  const int uffd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
  if (uffd < 0) {
    return Error(
        Errc::kMissingFacility,
        fmt::format("userfaultfd: {}; be root, or allow it with sysctl vm.unprivileged_userfaultfd=1", std::strerror(errno)));
  }
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = kFeatures;
  if (ioctl(uffd, UFFDIO_API, &api) != 0) {
    const int error = errno;
    close(uffd);
    return Error(
        Errc::kMissingFacility,
        fmt::format("userfaultfd lacks minor faults or write protection of shared memory ({}); Linux 6.4 or newer has them, "
                    "or use mmu=sigsegv",
                    std::strerror(error)));
  }
  touch_byte(region.bytes().data());  // the page that is probed must exist
  auto probed = probe_continue_wp(uffd, region);
  if (!probed) {
    close(uffd);
    return probed.error();
  }
  return std::unique_ptr<Mmu>(new UffdMmu(region, uffd));
}

UffdMmu::UffdMmu(const pmem::Region& region, int uffd) : MappedMmu(region, MAP_SHARED), uffd_(uffd) {}

UffdMmu::~UffdMmu() { close(uffd_); }

// Registered before it becomes accessible: PROT_NONE, register, then the real protection.
Result<void> UffdMmu::map_extent(Window& window, uint64_t page, uint64_t page_count, std::byte* frame) {
  PageTable& table = *window.table;
  uint64_t count = 1;
  while (count < page_count && !(table.get(page + count) & PageTable::kPresent)) ++count;
  std::byte* const at = address(window, page);
  DAXLAB_TRY(map_file(at, count * kBlockBytes, PROT_NONE, file_offset(frame)));
  for (uint64_t i = 0; i < count; ++i) table.set(page + i, 0);
  uffdio_register request{};
  request.range = range_of(at, count);
  request.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP;
  auto done = raw_ioctl(uffd_, UFFDIO_REGISTER, &request);
  if (done) done = raw_mprotect(at, count * kBlockBytes, window.writable ? PROT_READ | PROT_WRITE : PROT_READ);
  if (!done) {
    DAXLAB_CHECK(arena::blank(at, count * kBlockBytes).ok());
    return done;
  }
  const uint64_t region_page = file_offset(frame) / kBlockBytes;
  for (uint64_t i = 0; i < count; ++i) table.set(page + i, PageTable::frame(region_page + i));
  return {};
}

Result<void> UffdMmu::prepare(Window& window, uint64_t page, uint64_t page_count, std::byte* frame) {
  if (arena::forked() || frame == nullptr) return {};
  PageTable& table = *window.table;
  const MutexLock lock(window.table->mutex);
  if (PageTable::frame_of(table.get(page)) == PageTable::frame(file_offset(frame) / kBlockBytes)) return {};
  return map_extent(window, page, page_count, frame);
}

Result<void> UffdMmu::install_small(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) {
  for (uint64_t i = 0; i < page_count; ++i) DAXLAB_TRY(install_one(window, page + i, frame + i * kBlockBytes, writable));
  return {};
}

// An entry that is there read-only needs no more than leave to store. If the kernel has dropped it meanwhile (memory pressure),
// the access faults again, finds it present and writable here, and is given a new one.
Result<void> UffdMmu::install_one(Window& window, uint64_t page, std::byte* frame, bool writable) {
  PageTable& table = *window.table;
  const PageTable::Entry wanted = PageTable::frame(file_offset(frame) / kBlockBytes) | PageTable::kPresent;
  PageTable::Entry before = 0;
  {
    const MutexLock lock(window.table->mutex);
    before = table.get(page);
    if (PageTable::frame_of(before) != PageTable::frame_of(wanted)) DAXLAB_TRY(map_extent(window, page, 1, frame));
    // Present from here on, so that no other thread maps an extent over it.
    table.set(page, wanted | (writable ? PageTable::kWritable : 0));
  }
  if (before == wanted && writable) return set_protection(window, page, 1, true);
  const long result = add_entry(window, page, frame, writable);
  if (result == -EEXIST) return set_protection(window, page, 1, writable);
  if (result == 0) return {};
  const MutexLock lock(table.mutex);
  table.set(page, PageTable::frame_of(wanted));
  return errc_from_errno(static_cast<int>(-result));
}

/// Negative: an errno.
long UffdMmu::add_entry(Window& window, uint64_t page, const std::byte* frame, bool writable) {
  uffdio_continue request{};
  request.range = range_of(address(window, page), 1);
  request.mode = writable ? 0 : UFFDIO_CONTINUE_MODE_WP;
  const long argument = raw_address(reinterpret_cast<std::byte*>(&request));
  const long result = raw_syscall(SYS_ioctl, uffd_, UFFDIO_CONTINUE, argument);
  if (result != -EFAULT) return result;
  touch_byte(frame);  // the file has a hole there: reading it through the region's mapping fills it
  return raw_syscall(SYS_ioctl, uffd_, UFFDIO_CONTINUE, argument);
}

Result<void> UffdMmu::set_protection(Window& window, uint64_t page, uint64_t page_count, bool writable) {
  uffdio_writeprotect request{};
  request.range = range_of(address(window, page), page_count);
  request.mode = writable ? 0 : UFFDIO_WRITEPROTECT_MODE_WP;
  return raw_ioctl(uffd_, UFFDIO_WRITEPROTECT, &request);
}

Result<void> UffdMmu::remove_small(Window& window, uint64_t page, uint64_t page_count) {
  const auto done = raw_madvise(address(window, page), page_count * kBlockBytes, MADV_DONTNEED);
  const MutexLock lock(window.table->mutex);
  for (uint64_t i = page; i < page + page_count; ++i) window.table->set(i, PageTable::frame_of(window.table->get(i)));
  return done;
}

Result<void> UffdMmu::protect_small(Window& window, uint64_t page, uint64_t page_count) {
  return set_protection(window, page, page_count, false);
}

}  // namespace daxlab::dax
