// An allocation group: a stretch of the medium with free space and inodes of its own, so that work in different groups shares nothing.
//
// Its blocks of metadata (counts, bitmap, index of inode chunks) are buffers that stay referenced while the volume is mounted; a commit
// locks and changes them (group_update.h). What is allocated from is in DRAM: FreeSpace and InodeChunks.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/xfslike/buffer.h"
#include "engines/xfslike/format.h"
#include "engines/xfslike/free_space.h"
#include "engines/xfslike/inode_chunks.h"

namespace daxlab::xfslike {

struct Volume;

struct Group {
  uint32_t number = 0;
  uint64_t first_block = 0;
  uint32_t block_count = 0;

  Mutex growth;  ///< Held over the transaction that adds inodes: one at a time, so that records are added in order.
  FreeSpace space;
  InodeChunks chunks;

  Buffer* space_block = nullptr;
  Buffer* inodes_block = nullptr;
  std::vector<Buffer*> bitmap;
  std::vector<Buffer*> index;  ///< Grows under `growth`; has room for all it may ever hold.

  uint64_t absolute(uint32_t block) const { return first_block + block; }
  uint32_t relative(uint64_t block) const { return static_cast<uint32_t>(block - first_block); }
};

constexpr uint32_t bitmap_blocks(uint32_t group_blocks) {
  return static_cast<uint32_t>(div_up(group_blocks, kBitsPerBitmapBlock));
}

/// Reads a group's metadata and makes its indexes. kCorrupt.
Result<std::unique_ptr<Group>> load_group(Volume& volume, uint32_t number);

}  // namespace daxlab::xfslike
