// The names of one directory in XFS's block format, in DRAM: dirs=xfslike.
//
// What finds a name is then what the XFS-like core runs: the same hash, data blocks, leaves, nodes and free index (dirblock.h), by the
// same code. Each entry's inode number is the address of native's Dentry. The commit stays native's own: a record in the directory's log,
// from which a mount builds this as it builds the hash table.
//
// Threads: as NameIndex.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace daxlab::native {

struct Dentry;

class BlockNames {
 public:
  /// `block_bytes`: 4 to 64 KiB, a power of two.
  explicit BlockNames(uint32_t block_bytes);
  ~BlockNames();

  Dentry* find(std::string_view name) const;
  void insert(std::string_view name, Dentry* dentry);  ///< The name is not present.
  void erase(std::string_view name);                   ///< The name is.
  uint64_t dram_bytes() const;

 private:
  struct Blocks;
  std::unique_ptr<Blocks> blocks_;
};

}  // namespace daxlab::native
