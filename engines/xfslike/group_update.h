// What a transaction did to groups, applied to their blocks when it commits: bits of the bitmap, counts, records of inode chunks.
//
// The blocks are locked in ascending order, all of them before the first change. Nothing here can fail: groups' blocks are in the
// cache for as long as the volume is mounted.
#pragma once

#include <cstdint>
#include <vector>

#include "engines/xfslike/buffer_bytes.h"
#include "engines/xfslike/format.h"

namespace daxlab::xfslike {

class Buffer;
struct Group;
struct Volume;

enum class InodeChange : uint8_t { kTake, kFree, kOrphan, kNoOrphan };

class GroupUpdate {
 public:
  void take(const BlockRun& run) { runs_.push_back({run.first, run.count, false}); }
  void free(const BlockRun& run) { runs_.push_back({run.first, run.count, true}); }
  void inode(uint64_t ino, InodeChange change) { inodes_.push_back({ino, change}); }
  /// Inodes for `group`, under its growth lock: a new record, or more blocks for one that has not all of its own. `index_block` is a
  /// new block of the index (within the group), 0: none needed.
  void add_chunk(Group& group, const ChunkDisk& added, uint32_t record, Buffer* new_index, uint32_t index_block);
  bool empty() const { return runs_.empty() && inodes_.empty() && chunks_.empty(); }

  /// The blocks that apply() changes, ascending. The caller locks them.
  std::vector<Buffer*> buffers(Volume& volume) const;
  void apply(Volume& volume) const;
  /// After the commit: what the indexes in DRAM learn of it. Freed inodes may be taken again once they are gone from the table.
  void settle(Volume& volume) const;

 private:
  struct Run {
    uint64_t first;
    uint64_t count;
    bool free;
  };
  struct InodeBit {
    uint64_t ino;
    InodeChange change;
  };
  struct Chunk {
    Group* group;
    ChunkDisk added;
    uint32_t record;
    Buffer* index;
    uint32_t new_index_block;
  };
  void apply_run(Volume& volume, const Run& run) const;
  void apply_inode(Volume& volume, const InodeBit& bit) const;
  void apply_chunk(const Chunk& chunk) const;

  std::vector<Run> runs_;
  std::vector<InodeBit> inodes_;
  std::vector<Chunk> chunks_;
};

}  // namespace daxlab::xfslike
