#include "engines/xfslike/inode_disk.h"

#include <array>

#include <fmt/format.h>

#include "engines/api/types.h"
#include "engines/base/crc32c.h"
#include "engines/pmem/persist.h"

namespace daxlab::xfslike {

uint32_t inode_crc(const InodeDisk& inode) {
  InodeCoreDisk core = inode.core;
  core.crc = 0;
  return crc32c(inode.fork.data(), inode.fork.size(), crc32c(&core, sizeof core));
}

InodeDisk free_inode_disk(uint64_t ino, uint32_t generation, const Uuid& uuid) {
  InodeDisk inode{};
  inode.core.magic = static_cast<uint32_t>(Magic::kInode);
  inode.core.ino = ino;
  inode.core.uuid = uuid;
  inode.core.generation = generation;
  inode.core.crc = inode_crc(inode);
  return inode;
}

Result<void> verify_inode(const InodeDisk& inode, uint64_t ino, const Uuid& uuid) {
  const InodeCoreDisk& core = inode.core;
  const char* wrong = nullptr;
  if (core.magic != static_cast<uint32_t>(Magic::kInode)) wrong = "is no inode";
  else if (core.crc != inode_crc(inode)) wrong = "has a wrong checksum";
  else if (core.uuid != uuid) wrong = "is of another file system";
  else if (core.ino != ino) wrong = "has another number";
  else if (core.kind > static_cast<uint8_t>(NodeKind::kBlockDevice)) wrong = "is of no kind";
  else if (core.fork_format > static_cast<uint8_t>(ForkFormat::kTree) || core.fork_bytes > kForkBytes) wrong = "has no such fork";
  if (wrong == nullptr) return {};
  return Error(Errc::kCorrupt, fmt::format("inode {} {}", ino, wrong));
}

void write_free_inodes(std::byte* address, uint64_t block, const Uuid& uuid) {
  std::array<InodeDisk, kInodesPerBlock> inodes;
  for (uint32_t i = 0; i < kInodesPerBlock; ++i) inodes[i] = free_inode_disk(block * kInodesPerBlock + i, 0, uuid);
  pmem::stream(address, inodes.data(), sizeof inodes);
}

}  // namespace daxlab::xfslike
