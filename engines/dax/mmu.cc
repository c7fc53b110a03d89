#include "engines/dax/mmu.h"

#include <fmt/format.h>

#include "engines/dax/mmu_sigsegv.h"
#include "engines/dax/mmu_soft.h"
#include "engines/dax/mmu_uffd.h"
#include "engines/dax/page_table.h"

namespace daxlab::dax {
namespace {

// A process may have 65,530 mappings (vm.max_map_count); a file scattered over shorter runs than this would need more.
constexpr uint64_t kRunBytesMin = 64 * kKiB;

/// Empty, or why this region cannot have real page tables.
std::string obstacle(const pmem::Region& region) {
  if (region.fd() < 0) return "the medium cannot be mapped in 4 KiB pages (devdax)";
  const auto& geometry = region.geometry();
  if (!geometry.linear() && geometry.run_bytes() < kRunBytesMin) {
    return fmt::format(
        "runs of {} would need more mappings than vm.max_map_count allows a process; runs of {} or longer are fine",
        format_size(geometry.run_bytes()), format_size(kRunBytesMin));
  }
  return "";
}

}  // namespace

const char* name(MmuKind kind) {
  switch (kind) {
    case MmuKind::kUffd:
      return "uffd";
    case MmuKind::kSigsegv:
      return "sigsegv";
    case MmuKind::kSoft:
      return "soft";
  }
  return "";
}

Result<MmuKind> parse_mmu(std::string_view text) {
  for (const MmuKind kind : {MmuKind::kUffd, MmuKind::kSigsegv, MmuKind::kSoft}) {
    if (text == name(kind)) return kind;
  }
  return Error(Errc::kUsage, fmt::format("unknown mmu '{}': auto, uffd, sigsegv or soft", text));
}

Result<void> Mmu::prepare(Window&, uint64_t, uint64_t, std::byte*) { return {}; }

bool Mmu::wants_extent(const Window&, uint64_t) const { return false; }

bool Mmu::can_map_huge(const Window&, uint64_t, const std::byte*) const { return false; }

bool Mmu::allows(const Window& window, uint64_t page, Access access) const {
  const PageTable::Entry entry = window.table->governing(page);
  return (entry & PageTable::kPresent) && (access == Access::kRead || (entry & PageTable::kWritable));
}

Result<std::unique_ptr<Mmu>> Mmu::create(const pmem::Region& region, std::string_view wanted) {
  const auto with_reason = [](std::unique_ptr<Mmu> mmu, std::string why) {
    mmu->why_ = std::move(why);
    return mmu;
  };
  const std::string no_pages = obstacle(region);
  if (wanted != "auto") {
    DAXLAB_ASSIGN(const MmuKind kind, parse_mmu(wanted));
    if (kind == MmuKind::kSoft) return with_reason(std::make_unique<SoftMmu>(region), "as asked for");
    if (!no_pages.empty()) return Error(Errc::kMissingFacility, fmt::format("mmu={}: {}; use mmu=soft", wanted, no_pages));
    auto made = kind == MmuKind::kUffd ? UffdMmu::create(region) : SigsegvMmu::create(region);
    if (!made) return made;
    return with_reason(std::move(*made), "as asked for");
  }
  if (!no_pages.empty()) return with_reason(std::make_unique<SoftMmu>(region), no_pages);
  auto uffd = UffdMmu::create(region);
  if (uffd) return with_reason(std::move(*uffd), "the cheapest that this kernel offers");
  auto sigsegv = SigsegvMmu::create(region);
  if (sigsegv) return with_reason(std::move(*sigsegv), uffd.error().message());
  return with_reason(std::make_unique<SoftMmu>(region), sigsegv.error().message());
}

}  // namespace daxlab::dax
