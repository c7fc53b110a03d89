#include "engines/native/inode_table.h"

#include <algorithm>
#include <bit>

#include <fmt/core.h>

#include "engines/base/random.h"
#include "engines/native/inode.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {
constexpr uint32_t kBlocksPerMapWord = 16;
}

uint32_t InodeTable::map_blocks(uint64_t block_count) {
  return static_cast<uint32_t>(div_up(div_up(block_count, kBlocksPerMapWord), kMapWordsPerBlock));
}

InodeTable::InodeTable(Volume& volume)
    : volume_(volume),
      map_words_(volume.superblock.inode_map_blocks * kMapWordsPerBlock),
      chunks_(std::make_unique<std::atomic<Chunk*>[]>(map_words_)),
      free_lists_(volume.allocator.cpus()) {}

InodeTable::~InodeTable() {
  for (uint32_t i = 0; i < map_words_; ++i) {
    const std::unique_ptr<Chunk> chunk(chunks_[i].load());
    if (chunk == nullptr) continue;
    for (auto& inode : chunk->inodes) delete inode.load();
  }
}

uint64_t* InodeTable::map_word(uint32_t index) const {
  return volume_.disk<uint64_t>(kInodeMapBlock + index / kMapWordsPerBlock, 0) + index % kMapWordsPerBlock;
}

Result<void> InodeTable::format(pmem::Region& region, const SuperblockDisk& superblock, const InodeDisk& root) {
  const uint32_t seed = identity_seed(superblock.identity);
  const uint32_t inode_block = kInodeMapBlock + superblock.inode_map_blocks;
  uint64_t words[kMapWordsPerBlock]{};
  words[0] = seal_number(inode_block, seed, 0);
  pmem::stream(region.block_address(kInodeMapBlock), words, sizeof words);
  for (uint32_t block = kInodeMapBlock + 1; block < inode_block; ++block) {
    pmem::stream_zero(region.block_address(block), kBlockBytes);
  }
  InodeDisk slots[kInodesPerBlock]{};
  slots[kRootInode] = root;
  static_assert(sizeof slots == kBlockBytes && sizeof words == kBlockBytes);
  pmem::stream(region.block_address(inode_block), slots, sizeof slots);
  return {};
}

/// Differs from whatever the slot had: its history is not known.
uint32_t InodeTable::unused_generation(uint32_t ino) const {
  const uint64_t moment = uint64_t{volume_.epoch} << 32 | blocks_made_.load(std::memory_order_relaxed);
  return static_cast<uint32_t>(Random::mix(volume_.superblock.identity ^ moment, ino)) | 1;
}

uint32_t InodeTable::last_generation(const InodeDisk& disk, uint32_t ino) const {
  const bool valid = disk.magic == kInodeMagic && disk.ino == ino && disk.crc == inode_crc(disk, volume_.seed);
  return valid ? disk.generation : unused_generation(ino);  // never written, or torn by a crash while it was
}

Result<void> InodeTable::load() {
  for (uint32_t index = 0; index < map_words_; ++index) {
    const uint64_t word = pmem::load(map_word(index));
    if (word == 0) continue;
    const auto block = open_number(word, volume_.seed, index);
    if (!block || *block >= kBlocksMax || !volume_.plausible(static_cast<uint32_t>(*block))) {
      return Error(Errc::kCorrupt, fmt::format("word {} of the inode map is damaged", index));
    }
    if (!volume_.allocator.claim(static_cast<uint32_t>(*block), 1)) {
      return Error(Errc::kCorrupt, fmt::format("inode block {} is used twice", *block));
    }
    auto chunk = std::make_unique<Chunk>(index);
    chunk->block = static_cast<uint32_t>(*block);
    chunk->slots = volume_.disk<InodeDisk>(chunk->block, 0);
    chunks_[index].store(chunk.release(), std::memory_order_release);
    block_count_.fetch_add(1, std::memory_order_relaxed);
  }
  return {};
}

void InodeTable::add(FreeList& list, Chunk& chunk) {
  chunk.position = static_cast<uint32_t>(list.chunks.size());
  list.chunks.push_back(&chunk);
}

void InodeTable::remove_from(FreeList& list, Chunk& chunk) {
  list.chunks[chunk.position] = list.chunks.back();
  list.chunks[chunk.position]->position = chunk.position;
  list.chunks.pop_back();
}

void InodeTable::build_free_lists() {
  uint32_t cpu = 0;
  const MutexLock grow_lock(grow_mutex_);
  for (uint32_t index = map_words_; index-- > 0;) {
    Chunk* const chunk = chunks_[index].load(std::memory_order_relaxed);
    if (chunk == nullptr) {
      free_words_.push_back(index);
      continue;
    }
    const uint32_t owner = cpu++ % static_cast<uint32_t>(free_lists_.size());
    FreeList& list = free_lists_[owner];
    const MutexLock lock(list.mutex);
    chunk->list.store(owner, std::memory_order_relaxed);
    for (uint32_t i = 0; i < kInodesPerBlock; ++i) {
      const uint32_t ino = index * kInodesPerBlock + i;
      if (const Inode* inode = chunk->inodes[i].load(std::memory_order_relaxed)) {
        chunk->generations[i] = inode->generation;
      } else if (ino != 0) {
        chunk->generations[i] = last_generation(pmem::load(&chunk->slots[i]), ino);
        chunk->free_slots |= uint64_t{1} << i;
      }
    }
    if (chunk->free_slots != 0) add(list, *chunk);
  }
}

// Order: the block's zeroes; fence; the map word, 8 bytes; flush. The word becomes durable with the fence of the first create in the
// block; without it that create's name finds no slot and did not happen.
Result<void> InodeTable::grow(FreeList& list, uint32_t cpu) {
  const MutexLock lock(grow_mutex_);
  if (free_words_.empty()) return Errc::kNoSpace;
  const uint32_t index = free_words_.back();
  const Extent extent = volume_.allocator.allocate(1, 0);
  if (extent.count == 0) return Errc::kNoSpace;
  free_words_.pop_back();
  pmem::stream_zero(volume_.address(extent.block), kBlockBytes);
  pmem::fence();
  pmem::store_commit(map_word(index), seal_number(extent.block, volume_.seed, index));
  pmem::flush(map_word(index), sizeof(uint64_t));
  Chunk* chunk = chunks_[index].load(std::memory_order_relaxed);
  if (chunk == nullptr) chunk = new Chunk(index);
  chunk->block = extent.block;
  chunk->slots = volume_.disk<InodeDisk>(extent.block, 0);
  chunk->free_slots = index == 0 ? ~uint64_t{1} : ~uint64_t{0};
  chunk->list.store(cpu, std::memory_order_relaxed);
  blocks_made_.fetch_add(1, std::memory_order_relaxed);
  for (uint32_t i = 0; i < kInodesPerBlock; ++i) chunk->generations[i] = unused_generation(index * kInodesPerBlock + i);
  chunks_[index].store(chunk, std::memory_order_release);
  block_count_.fetch_add(1, std::memory_order_relaxed);
  add(list, *chunk);
  return {};
}

// Order: the map word, 8 bytes; flush; fence; only then is the block given to others. The chunk is on no list: nobody allocates from it.
void InodeTable::shrink(Chunk& chunk) {
  pmem::store_commit(map_word(chunk.index), 0);
  pmem::persist(map_word(chunk.index), sizeof(uint64_t));
  const MutexLock lock(grow_mutex_);
  const uint32_t block = chunk.block;
  chunk.block = 0;
  chunk.slots = nullptr;
  block_count_.fetch_sub(1, std::memory_order_relaxed);
  free_words_.push_back(chunk.index);
  volume_.allocator.free({block, 1});
}

bool InodeTable::take_from_others(FreeList& list, uint32_t cpu) {
  for (uint32_t i = 1; i < free_lists_.size(); ++i) {
    FreeList& other = free_lists_[(cpu + i) % free_lists_.size()];
    if (!other.mutex.try_lock()) continue;  // two threads may look into each other's lists
    Chunk* const chunk = other.chunks.empty() ? nullptr : other.chunks.back();
    if (chunk != nullptr) {
      other.chunks.pop_back();
      chunk->list.store(cpu, std::memory_order_relaxed);
      add(list, *chunk);
    }
    other.mutex.unlock();
    if (chunk != nullptr) return true;
  }
  return false;
}

InodeTable::Chunk& InodeTable::known_chunk(uint32_t ino) const {
  Chunk* const chunk = chunk_of(ino);
  DAXLAB_CHECK(chunk != nullptr);
  return *chunk;
}

Result<FreeSlot> InodeTable::allocate() {
  const uint32_t cpu = volume_.allocator.this_cpu();
  FreeList& list = free_lists_[cpu];
  const MutexLock lock(list.mutex);
  if (list.chunks.empty() && !take_from_others(list, cpu)) DAXLAB_TRY(grow(list, cpu));
  Chunk& chunk = *list.chunks.back();
  const auto i = static_cast<uint32_t>(std::countr_zero(chunk.free_slots));
  chunk.free_slots &= chunk.free_slots - 1;
  if (chunk.free_slots == 0) remove_from(list, chunk);
  if (++chunk.generations[i] == 0) chunk.generations[i] = 1;
  return FreeSlot{chunk.index * kInodesPerBlock + i, chunk.generations[i], &chunk.slots[i]};
}

void InodeTable::release_slot(uint32_t ino) {
  Chunk& chunk = known_chunk(ino);
  bool empty = false;
  for (;;) {
    const uint32_t owner = chunk.list.load(std::memory_order_relaxed);
    FreeList& list = free_lists_[owner];
    const MutexLock lock(list.mutex);
    if (chunk.list.load(std::memory_order_relaxed) != owner) continue;  // taken by another list meanwhile
    if (chunk.free_slots == 0) add(list, chunk);
    chunk.free_slots |= uint64_t{1} << (ino % kInodesPerBlock);
    // One chunk stays with each list, so that making and removing one file does not give blocks back and forth.
    empty = chunk.free_slots == ~uint64_t{0} && list.chunks.size() > 1;
    if (empty) remove_from(list, chunk);
    break;
  }
  if (empty) shrink(chunk);
}

InodeDisk* InodeTable::slot(uint32_t ino) const {
  const Chunk* chunk = chunk_of(ino);
  return chunk == nullptr || ino == 0 ? nullptr : &chunk->slots[ino % kInodesPerBlock];
}

Inode* InodeTable::get(uint32_t ino) const {
  const Chunk* chunk = chunk_of(ino);
  return chunk == nullptr ? nullptr : chunk->inodes[ino % kInodesPerBlock].load(std::memory_order_acquire);
}

Inode* InodeTable::acquire(InodeId id) {
  const uint32_t ino = Inode::ino_of(id);
  const MutexLock lock(shards_[ino % shards_.size()]);
  Inode* const inode = get(ino);
  if (inode == nullptr || inode->generation != Inode::generation_of(id)) return nullptr;
  uint32_t refs = inode->refs.load(std::memory_order_relaxed);
  do {
    if (refs == 0) return nullptr;
  } while (!inode->refs.compare_exchange_weak(refs, refs + 1, std::memory_order_relaxed));
  return inode;
}

void InodeTable::hold(Inode& inode) { inode.refs.fetch_add(1, std::memory_order_relaxed); }

bool InodeTable::drop(Inode& inode, uint64_t references) {
  const auto by = static_cast<uint32_t>(references);
  const uint32_t before = inode.refs.fetch_sub(by, std::memory_order_acq_rel);
  DAXLAB_CHECK(before >= by);
  return before == by;
}

bool InodeTable::put(std::unique_ptr<Inode> inode) {
  Inode* expected = nullptr;
  if (!known_chunk(inode->ino).inodes[inode->ino % kInodesPerBlock].compare_exchange_strong(expected, inode.get(), std::memory_order_acq_rel)) {
    return false;
  }
  inode.release();
  live_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void InodeTable::remove(Inode& inode) {
  const uint32_t ino = inode.ino;
  {
    const MutexLock lock(shards_[ino % shards_.size()]);
    known_chunk(ino).inodes[ino % kInodesPerBlock].store(nullptr, std::memory_order_release);
  }
  delete &inode;
  live_.fetch_sub(1, std::memory_order_relaxed);
  release_slot(ino);
}

uint64_t InodeTable::dram_bytes() const {
  return map_words_ * sizeof(void*) + uint64_t{block_count_.load()} * sizeof(Chunk) + live() * sizeof(Inode);
}

}  // namespace daxlab::native
