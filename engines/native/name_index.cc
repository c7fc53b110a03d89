#include "engines/native/name_index.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "engines/base/check.h"
#include "engines/base/crc32c.h"

namespace daxlab::native {

NameIndex::NameIndex(uint32_t dirblock_bytes) {
  if (dirblock_bytes != 0) blocks_ = std::make_unique<BlockNames>(dirblock_bytes);
}

NameIndex::~NameIndex() = default;

// Multiplied by the golden ratio because the table is indexed by high and low bits alike.
uint32_t NameIndex::hash(std::string_view name) { return crc32c(name.data(), name.size(), 0x9e3779b9u) * 0x9e3779b1u; }

Dentry* NameIndex::find(std::string_view name, uint32_t hash) const {
  if (blocks_ != nullptr) return blocks_->find(name);
  if (cells_.empty()) return nullptr;
  const size_t mask = cells_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Cell& cell = cells_[at];
    if (cell.empty()) return nullptr;
    if (cell.hash != hash) continue;
    Dentry* const found = dentry(cell.number);
    if (found->name() == name) return found;
  }
}

Dentry* NameIndex::find_cookie(uint64_t cookie) const {
  const auto chunk = chunks_.find(cookie / kChunkCookies);
  return chunk == chunks_.end() ? nullptr : chunk->second.entries[cookie % kChunkCookies];
}

void NameIndex::rehash(size_t cells) {
  Cells old(cells);
  old.swap(cells_);
  const size_t mask = cells_.size() - 1;
  for (const Cell& cell : old) {
    if (cell.empty()) continue;
    size_t at = cell.hash & mask;
    while (!cells_[at].empty()) at = (at + 1) & mask;
    cells_[at] = cell;
  }
}

Dentry* NameIndex::insert(std::string_view name, uint32_t hash, uint64_t cookie) {
  const uint32_t place = arena_.allocate(Dentry::kNameAt + name.size());
  auto* const dentry = new (arena_.address(place)) Dentry{};
  dentry->number = place;
  dentry->cookie = cookie;
  dentry->hash = hash;
  dentry->name_bytes = static_cast<uint8_t>(name.size());
  std::memcpy(arena_.address(place) + Dentry::kNameAt, name.data(), name.size());

  if (blocks_ != nullptr) {
    blocks_->insert(name, dentry);
  } else {
    add_cell(dentry);
  }

  const uint64_t number = cookie / kChunkCookies;
  if (last_chunk_ == nullptr || last_chunk_->number != number) {
    if (last_chunk_ != nullptr && last_chunk_->live == 0) chunks_.erase(last_chunk_->number);
    last_chunk_ = &chunks_[number];
    last_chunk_->number = number;
  }
  DAXLAB_DCHECK(last_chunk_->entries[cookie % kChunkCookies] == nullptr);
  last_chunk_->entries[cookie % kChunkCookies] = dentry;
  ++last_chunk_->live;
  dentry->chunk = last_chunk_;
  ++count_;
  next_cookie_ = std::max(next_cookie_, cookie + 1);
  return dentry;
}

void NameIndex::add_cell(const Dentry* dentry) {
  if ((count_ + 1) * 8 > cells_.size() * 7) rehash(std::max<size_t>(16, cells_.size() * 2));
  const size_t mask = cells_.size() - 1;
  size_t at = dentry->hash & mask;
  while (!cells_[at].empty()) at = (at + 1) & mask;
  cells_[at] = {dentry->hash, dentry->number};
}

size_t NameIndex::cell_of(const Dentry* dentry) const {
  const size_t mask = cells_.size() - 1;
  size_t at = dentry->hash & mask;
  while (cells_[at].number != dentry->number) {
    DAXLAB_CHECK(!cells_[at].empty());
    at = (at + 1) & mask;
  }
  return at;
}

// Backward-shift deletion (Knuth, TAOCP 3, 6.4 algorithm R): no tombstones, so churn never slows a look-up.
void NameIndex::remove_cell(const Dentry* dentry) {
  const size_t mask = cells_.size() - 1;
  size_t hole = cell_of(dentry);
  for (size_t at = (hole + 1) & mask; !cells_[at].empty(); at = (at + 1) & mask) {
    const size_t home = cells_[at].hash & mask;
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      cells_[hole] = cells_[at];
      hole = at;
    }
  }
  cells_[hole] = {};
}

void NameIndex::erase(Dentry* dentry) {
  if (blocks_ != nullptr) {
    blocks_->erase(dentry->name());
  } else {
    remove_cell(dentry);
  }
  auto* const chunk = static_cast<Chunk*>(dentry->chunk);
  chunk->entries[dentry->cookie % kChunkCookies] = nullptr;
  if (--chunk->live == 0 && chunk != last_chunk_) chunks_.erase(chunk->number);
  --count_;
  arena_.free(dentry->number, dentry->size_bytes());
}

uint64_t NameIndex::dram_bytes() const {
  return sizeof *this + (blocks_ == nullptr ? 0 : blocks_->dram_bytes()) + cells_.size() * sizeof(Cell) + arena_.dram_bytes() +
         chunks_.size() * (sizeof(Chunk) + 48);
}

}  // namespace daxlab::native
