#include "engines/dax/huge_frames.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>

#include "engines/base/units.h"
#include "engines/dax/raw_mman.h"

namespace daxlab::dax {
namespace {

// From include/uapi/linux/fs.h of Linux 6.7, newer than Debian 12's header.
struct PageRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
struct PmScanArg {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t vec;
  uint64_t vec_len;
  uint64_t max_pages;
  uint64_t category_inverted;
  uint64_t category_mask;
  uint64_t category_anyof_mask;
  uint64_t return_mask;
};
constexpr uint64_t kPageIsHuge = 1 << 6;
constexpr unsigned long kPagemapScan = _IOWR('f', 16, PmScanArg);

}  // namespace

std::vector<bool> find_huge_frames(const pmem::Region& region) {
  const auto bytes = region.bytes();
  std::vector<bool> huge(bytes.size() / kHugeBytes, false);
  const auto base = reinterpret_cast<uintptr_t>(bytes.data());
  if (base % kHugeBytes != 0 || huge.empty()) return {};
  const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return {};
  for (size_t i = 0; i < huge.size(); ++i) touch_byte(&bytes[i * kHugeBytes]);
  std::array<PageRegion, 256> found;
  PmScanArg scan{};
  scan.size = sizeof scan;
  scan.start = base;
  scan.end = base + huge.size() * kHugeBytes;
  scan.vec = reinterpret_cast<uintptr_t>(found.data());
  scan.vec_len = found.size();
  scan.category_mask = kPageIsHuge;
  scan.return_mask = kPageIsHuge;
  while (scan.start < scan.end) {
    const int count = ioctl(pagemap, kPagemapScan, &scan);
    if (count < 0) break;
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      for (uint64_t at = align_up(found[i].start, kHugeBytes); at + kHugeBytes <= found[i].end; at += kHugeBytes) {
        huge[(at - base) / kHugeBytes] = true;
      }
    }
    scan.start = scan.walk_end;
  }
  close(pagemap);
  return huge;
}

}  // namespace daxlab::dax
