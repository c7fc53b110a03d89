#include "engines/xfslike/symlink_format.h"

#include <algorithm>
#include <cstring>

#include "engines/base/check.h"
#include "engines/base/units.h"

namespace daxlab::xfslike {

namespace {
constexpr uint32_t kHeaderBytes = 64;  // the owner's
constexpr uint32_t kTargetAt = kHeaderBytes + sizeof(SymlinkDisk);
}  // namespace

uint32_t symlink_blocks(size_t target_bytes, uint32_t block_bytes) {
  return static_cast<uint32_t>(div_up(target_bytes, block_bytes - kTargetAt));
}

Result<void> write_symlink(BlockSpace& space, std::string_view target) {
  DAXLAB_CHECK(!target.empty() && target.size() <= kSymlinkBytesMax);
  const uint32_t room = space.block_bytes() - kTargetAt;
  for (uint32_t address = 0; address < symlink_blocks(target.size(), space.block_bytes()); ++address) {
    const uint32_t offset = address * room;
    const auto bytes = static_cast<uint32_t>(std::min<size_t>(room, target.size() - offset));
    DAXLAB_ASSIGN(const MetadataRef block, space.add(address));
    block->store(kHeaderBytes, SymlinkDisk{kSymlinkMagic, offset, bytes, 0});
    block->write(kTargetAt, target.data() + offset, bytes);
  }
  return {};
}

Result<std::string> read_symlink(BlockSpace& space, uint64_t target_bytes) {
  if (target_bytes == 0 || target_bytes > kSymlinkBytesMax) return Errc::kCorrupt;
  const uint32_t room = space.block_bytes() - kTargetAt;
  std::string target(target_bytes, '\0');
  for (uint32_t address = 0; address < symlink_blocks(target.size(), space.block_bytes()); ++address) {
    const uint32_t offset = address * room;
    const auto bytes = static_cast<uint32_t>(std::min<size_t>(room, target.size() - offset));
    auto block = space.get(address, BlockSpace::Access::kRead);
    if (!block.ok() && block.code() == Errc::kNotFound) return Error(Errc::kCorrupt, "a block of a symbolic link is missing");
    if (!block.ok()) return block.error();
    const auto header = (*block)->load<SymlinkDisk>(kHeaderBytes);
    if (header.magic != kSymlinkMagic || header.offset != offset || header.bytes != bytes) return Errc::kCorrupt;
    char* to = target.data() + offset;
    const std::byte* from = (*block)->read(kTargetAt, bytes, reinterpret_cast<std::byte*>(to));
    if (from != reinterpret_cast<std::byte*>(to)) std::memcpy(to, from, bytes);
  }
  if (target.find('\0') != std::string::npos) return Errc::kCorrupt;
  return target;
}

Result<void> remove_symlink(BlockSpace& space, uint64_t target_bytes) {
  if (target_bytes == 0 || target_bytes > kSymlinkBytesMax) return Errc::kCorrupt;
  for (uint32_t address = 0; address < symlink_blocks(target_bytes, space.block_bytes()); ++address) {
    DAXLAB_TRY(space.remove(address));
  }
  return {};
}

}  // namespace daxlab::xfslike
