#include "engines/xfslike/dquot_disk.h"

#include <array>

#include <fmt/format.h>

#include "engines/base/crc32c.h"
#include "engines/pmem/persist.h"

namespace daxlab::xfslike {

uint32_t dquot_crc(DquotDisk dquot) {
  dquot.crc = 0;
  return crc32c(&dquot, sizeof dquot);
}

Result<void> verify_dquot(const DquotDisk& dquot, uint32_t kind, uint32_t id, const Uuid& uuid) {
  if (dquot.magic == static_cast<uint32_t>(Magic::kDquot) && dquot.crc == dquot_crc(dquot) && dquot.kind == kind && dquot.id == id &&
      dquot.uuid == uuid) {
    return {};
  }
  return Error(Errc::kCorrupt, fmt::format("dquot {} is not what it says", id));
}

void store_dquot(std::byte* to, const DquotDisk& dquot) {
  constexpr size_t kStampBytes = 16;
  static_assert(offsetof(DquotDisk, lsn) == 8);
  const auto* from = reinterpret_cast<const std::byte*>(&dquot);
  pmem::store_bytes(to + kStampBytes, from + kStampBytes, sizeof dquot - kStampBytes);
  pmem::flush(to + kStampBytes, sizeof dquot - kStampBytes);
  pmem::fence();
  auto* const words = reinterpret_cast<uint64_t*>(to);
  pmem::store_commit(words, dquot.magic | uint64_t{dquot.crc} << 32);
  pmem::store_commit(words + 1, dquot.lsn);
  pmem::flush(words, kStampBytes);
  pmem::fence();
}

void write_dquot_block(std::byte* address, uint32_t kind, uint64_t first, const Uuid& uuid) {
  std::array<DquotDisk, kDquotsPerBlock> dquots{};
  for (uint32_t i = 0; i < kDquotsPerBlock; ++i) {
    dquots[i].magic = static_cast<uint32_t>(Magic::kDquot);
    dquots[i].id = static_cast<uint32_t>(first + i);
    dquots[i].kind = kind;
    dquots[i].uuid = uuid;
    dquots[i].crc = dquot_crc(dquots[i]);
  }
  pmem::stream(address, dquots.data(), sizeof dquots);
}

}  // namespace daxlab::xfslike
