// What the metadata layer's items look like in the log: the first region of each; what follows is the object's own bytes.
//
// Inode and buffer take as many bytes as XFS's xfs_inode_log_format and xfs_buf_log_format do (fs/xfs/libxfs/xfs_log_format.h), so
// that log bytes of an operation compare.
#pragma once

#include <cstdint>

#include "engines/pmem/on_media.h"
#include "engines/xfslike/log_item.h"

namespace daxlab::xfslike {

/// Then the core; then, with kInodeFork, fork_bytes of the literal area.
struct InodeLogDisk {
  ItemHeaderDisk header;
  uint32_t fields;  ///< InodeField.
  uint64_t ino;
  uint32_t fork_bytes;
  uint32_t reserved0;
  uint64_t reserved[4];
};
DAXLAB_ON_MEDIA(InodeLogDisk, 56, 8);

/// Then run_count BlockRunDisk and the chunk map, 64 chunks a word, in the same region; then a region for each run of chunks.
struct BufferLogDisk {
  ItemHeaderDisk header;
  uint16_t flags;
  uint16_t run_count;
  uint32_t size_bytes;
  uint32_t magic;
  uint64_t owner;
};
DAXLAB_ON_MEDIA(BufferLogDisk, 24, 8);
inline constexpr uint16_t kBufferCancel = 1;  ///< The object is freed: no map, no chunks; earlier records are void.
inline constexpr uint16_t kBufferFresh = 2;   ///< Never written back: what the chunks do not cover is zero.

struct BlockRunDisk {
  uint64_t first;
  uint64_t count;
};
DAXLAB_ON_MEDIA(BlockRunDisk, 16, 8);

/// Then the DquotDisk.
struct DquotLogDisk {
  ItemHeaderDisk header;
  uint32_t offset;  ///< In its block.
  uint64_t block;
};
DAXLAB_ON_MEDIA(DquotLogDisk, 16, 8);

/// Then run_count BlockRunDisk in the same region. The done record of an intent has its id and no runs.
struct ExtentFreeLogDisk {
  ItemHeaderDisk header;
  uint32_t run_count;
  uint64_t id;  ///< At offset 8: how recovery pairs them.
};
DAXLAB_ON_MEDIA(ExtentFreeLogDisk, 16, 8);

}  // namespace daxlab::xfslike
