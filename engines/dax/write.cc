#include "engines/dax/write.h"

#include <algorithm>

#include "engines/pmem/persist.h"

namespace daxlab::dax {

// A fresh block may be hidden behind a zero page that a read fault installed: invalidate() takes it away and lets waiting faults
// find the block. The translation is given up meanwhile, because a fault holds an entry while it waits for the engine's lock.
Result<void> write(AddressSpace& space, PageSource& source, uint64_t offset, std::span<const std::byte> data) {
  const AddressSpace::WriteScope exclusion(space);
  while (!data.empty()) {
    const uint64_t page = offset / kBlockBytes;
    const uint64_t pages_max = div_up(offset + data.size(), kBlockBytes) - page;
    DAXLAB_ASSIGN(PageRange range, source.begin(page, pages_max, Access::kWrite));
    if (range.fresh && space.mapped()) {
      source.end(range, Access::kWrite);
      space.invalidate(range.first_page, range.page_count);
      DAXLAB_ASSIGN(range, source.begin(page, pages_max, Access::kWrite));
    }
    const uint64_t at = offset - range.first_page * kBlockBytes;
    const size_t piece = static_cast<size_t>(std::min<uint64_t>(data.size(), range.page_count * kBlockBytes - at));
    pmem::stream(range.address + at, data.data(), piece);
    source.end(range, Access::kWrite);
    offset += piece;
    data = data.subspan(piece);
  }
  return {};
}

}  // namespace daxlab::dax
