// The names of one directory in DRAM: by name through an open-addressing hash table or XFS's directory blocks (dirs=), by cookie for
// listings.
//
// Cookies are given out in ascending order and kept in chunks of 64, so that a listing resumes by one look-up and a removal is O(1).
//
// Invariants:
//   1. Every entry is in the table, or in the blocks, once and in the chunk of its cookie once; names and cookies are unique.
//   2. next_cookie is above every cookie.
// Threads: the directory's inode lock, shared for look-ups and listings.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "engines/api/types.h"
#include "engines/native/block_names.h"
#include "engines/native/dentry_arena.h"
#include "engines/native/huge_memory.h"

namespace daxlab::native {

struct Dentry {
  uint64_t cookie;
  uint64_t time_ns;   ///< When the name was made.
  void* chunk;        ///< NameIndex's own, as is `number`.
  uint32_t ino;
  uint32_t generation;
  uint32_t log_page;  ///< Of the record that says so.
  uint32_t hash;
  uint32_t number;
  NodeKind kind;
  uint8_t name_bytes;
  // The name follows right behind: up to 18 bytes of it are in the entry's first line.
  static constexpr size_t kNameAt = 46;
  std::string_view name() const { return {reinterpret_cast<const char*>(this) + kNameAt, name_bytes}; }
  size_t size_bytes() const { return kNameAt + name_bytes; }
  InodeId id() const { return uint64_t{generation} << 32 | ino; }
};

static_assert(offsetof(Dentry, name_bytes) + 1 == Dentry::kNameAt);

class NameIndex {
 public:
  /// 0: a hash table; else blocks of that size.
  explicit NameIndex(uint32_t dirblock_bytes = 0);
  ~NameIndex();
  NameIndex(const NameIndex&) = delete;
  NameIndex& operator=(const NameIndex&) = delete;

  static uint32_t hash(std::string_view name);

  Dentry* find(std::string_view name, uint32_t hash) const;
  Dentry* find(std::string_view name) const { return find(name, hash(name)); }
  Dentry* find_cookie(uint64_t cookie) const;
  /// Fetches what find() looks at first, or what erase() changes, for a caller that has something else to do meanwhile.
  void prefetch(uint32_t hash) const {
    if (!cells_.empty()) __builtin_prefetch(&cells_[hash & (cells_.size() - 1)]);
  }
  void prefetch_erase(const Dentry& dentry) const {
    auto* const chunk = static_cast<Chunk*>(dentry.chunk);
    __builtin_prefetch(&chunk->live, 1);
    __builtin_prefetch(&chunk->entries[dentry.cookie % kChunkCookies], 1);
  }
  /// The name is not present and the cookie was not used.
  Dentry* insert(std::string_view name, uint32_t hash, uint64_t cookie);
  void erase(Dentry* dentry);

  uint64_t size() const { return count_; }
  uint64_t next_cookie() const { return next_cookie_; }
  void raise_next_cookie(uint64_t above) { next_cookie_ = std::max(next_cookie_, above + 1); }

  /// Entries with cookies above `cookie`, ascending, until `visit` returns false.
  template <typename Visit>
  void for_each(uint64_t cookie, Visit visit) const {
    const uint64_t begin = cookie + 1;
    for (auto at = chunks_.lower_bound(begin / kChunkCookies); at != chunks_.end(); ++at) {
      for (const Dentry* dentry : at->second.entries) {
        if (dentry != nullptr && dentry->cookie >= begin && !visit(*dentry)) return;
      }
    }
  }
  template <typename Visit>
  void for_each_mutable(Visit visit) {
    for (auto& [number, chunk] : chunks_) {
      for (Dentry* dentry : chunk.entries) {
        if (dentry != nullptr) visit(*dentry);
      }
    }
  }
  uint64_t dram_bytes() const;

 private:
  static constexpr uint64_t kChunkCookies = 64;
  struct Chunk {
    uint64_t number = 0;  ///< Cookies [64 * number, 64 * number + 64).
    uint32_t live = 0;
    std::array<Dentry*, kChunkCookies> entries{};
  };
  struct Cell {
    uint32_t hash = 0;
    uint32_t number = DentryArena::kNone;
    bool empty() const { return number == DentryArena::kNone; }
  };

  Dentry* dentry(uint32_t number) const { return reinterpret_cast<Dentry*>(arena_.address(number)); }
  void add_cell(const Dentry* dentry);
  void remove_cell(const Dentry* dentry);
  void rehash(size_t cells);
  size_t cell_of(const Dentry* dentry) const;

  std::unique_ptr<BlockNames> blocks_;  // null: the table
  DentryArena arena_;
  using Cells = std::vector<Cell, TableAllocator<Cell>>;
  Cells cells_;  // a power of two, linear probing, at most 7/8 full
  uint64_t count_ = 0;
  uint64_t next_cookie_ = 1;
  std::map<uint64_t, Chunk> chunks_;
  Chunk* last_chunk_ = nullptr;
};

}  // namespace daxlab::native
