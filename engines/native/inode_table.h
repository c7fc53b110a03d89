// Inode slots: blocks of 64, found through the inode map on the medium; and the inodes that are in DRAM.
//
// The map has one sealed word per possible inode block. A slot is live if and only if a name refers to its generation; slots of removed
// inodes are left as they are. A generation is used once per slot. A block all of whose slots are free is given back.
//
// Threads: all methods from any thread after load(); a slot belongs to whoever allocated it until it is released.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engines/api/types.h"
#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/native/volume.h"

namespace daxlab::native {

struct Inode;

/// A slot to create an inode in.
struct FreeSlot {
  uint32_t ino = 0;
  uint32_t generation = 0;
  InodeDisk* disk = nullptr;
};

class InodeTable {
 public:
  explicit InodeTable(Volume& volume);
  ~InodeTable();

  static constexpr uint32_t kMapWordsPerBlock = kBlockBytes / sizeof(uint64_t);
  /// Blocks of the inode map for a medium: one inode block in 16 blocks at most, so at most four inodes a block.
  static uint32_t map_blocks(uint64_t block_count);

  /// Writes map and first inode block with the root's slot; not yet durable.
  static Result<void> format(pmem::Region& region, const SuperblockDisk& superblock, const InodeDisk& root);

  /// At mount: reads the map and claims its blocks. kCorrupt where a word or a block is impossible.
  Result<void> load();
  /// At mount, after every live inode was put: the other slots are free.
  void build_free_lists();

  /// A free slot, of the calling thread's list first; kNoSpace.
  Result<FreeSlot> allocate();
  /// Gives back a slot whose inode is gone or was never made.
  void release_slot(uint32_t ino);

  /// The slot of an inode number read from the medium or a caller; null where there is none.
  InodeDisk* slot(uint32_t ino) const;

  Inode* get(uint32_t ino) const;  ///< While something keeps the inode: a name under its directory's lock, a reference.
  /// Takes a reference by number; null when the generation is gone.
  Inode* acquire(InodeId id);
  /// As acquire() for an inode known to be held.
  static void hold(Inode& inode);
  /// Drops references; true if they were the last: the caller then frees what the inode owns and calls remove().
  static bool drop(Inode& inode, uint64_t references);
  /// False when the number is taken: two names of a directory, or damage. Ownership passes to the table.
  bool put(std::unique_ptr<Inode> inode);
  void remove(Inode& inode);

  uint64_t capacity() const { return uint64_t{block_count_.load(std::memory_order_relaxed)} * kInodesPerBlock; }
  uint64_t capacity_max() const { return uint64_t{map_words_} * kInodesPerBlock; }
  uint64_t live() const { return live_.load(std::memory_order_relaxed); }
  template <typename Visit>
  void for_each(Visit visit) const {
    for (uint32_t i = 0; i < map_words_; ++i) {
      const Chunk* chunk = chunks_[i].load(std::memory_order_acquire);
      if (chunk == nullptr) continue;
      for (const auto& entry : chunk->inodes) {
        Inode* const inode = entry.load(std::memory_order_acquire);
        if (inode != nullptr) visit(*inode);
      }
    }
  }
  template <typename Visit>
  void for_each_block(Visit visit) const {
    for (uint32_t i = 0; i < map_words_; ++i) {
      const Chunk* chunk = chunks_[i].load(std::memory_order_acquire);
      if (chunk != nullptr && chunk->block != 0) visit(chunk->block);
    }
  }
  uint64_t dram_bytes() const;

 private:
  /// An inode block and its inodes. Made once per map word and kept, as look-ups read it without a lock; block 0: given back.
  struct Chunk {
    explicit Chunk(uint32_t index_in) : index(index_in) {}
    const uint32_t index;  ///< Of its map word.
    uint32_t block = 0;
    InodeDisk* slots = nullptr;
    std::array<std::atomic<Inode*>, kInodesPerBlock> inodes{};
    std::array<uint32_t, kInodesPerBlock> generations{};  // last one used
    // Guarded by the mutex of the list it is on.
    uint64_t free_slots = 0;
    std::atomic<uint32_t> list{0};
    uint32_t position = 0;  // in the list, while a slot is free
  };
  struct alignas(128) FreeList {
    Mutex mutex;
    std::vector<Chunk*> chunks DAXLAB_GUARDED_BY(mutex);  // with a free slot
  };

  Chunk* chunk_of(uint32_t ino) const {
    return ino / kInodesPerBlock < map_words_ ? chunks_[ino / kInodesPerBlock].load(std::memory_order_acquire) : nullptr;
  }
  Chunk& known_chunk(uint32_t ino) const;  ///< Of an inode number that this table gave out.
  Result<void> grow(FreeList& list, uint32_t cpu) DAXLAB_REQUIRES(list.mutex);
  void shrink(Chunk& chunk);
  static void add(FreeList& list, Chunk& chunk) DAXLAB_REQUIRES(list.mutex);
  static void remove_from(FreeList& list, Chunk& chunk) DAXLAB_REQUIRES(list.mutex);
  bool take_from_others(FreeList& list, uint32_t cpu) DAXLAB_REQUIRES(list.mutex);
  uint64_t* map_word(uint32_t index) const;
  uint32_t last_generation(const InodeDisk& disk, uint32_t ino) const;
  uint32_t unused_generation(uint32_t ino) const;

  Volume& volume_;
  const uint32_t map_words_;
  std::unique_ptr<std::atomic<Chunk*>[]> chunks_;
  std::atomic<uint32_t> block_count_{0};
  std::atomic<uint64_t> live_{0};
  Mutex grow_mutex_;
  std::vector<uint32_t> free_words_ DAXLAB_GUARDED_BY(grow_mutex_);  // descending at mount
  std::atomic<uint32_t> blocks_made_{0};                            // makes generations of blocks that come again differ
  std::vector<FreeList> free_lists_;
  mutable std::array<Mutex, 16> shards_;  // acquire() against remove()
};

}  // namespace daxlab::native
