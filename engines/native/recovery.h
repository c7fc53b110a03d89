// Mount: from the bytes of the medium to DRAM, undoing what a crash left half done.
//
// The tree is walked from the root; each inode that a name reaches is loaded: slot, log, blocks. What no name reaches is free. Loading of
// different inodes runs side by side. Recovery stores only: record tails of groups that did not happen, head and next words of pages
// without a group, page headers, and bytes of small writes; each of them means the same before and after, so a crash inside recovery is
// a crash before it.
#pragma once

#include <cstdint>

#include "engines/base/result.h"
#include "engines/native/file_system.h"

namespace daxlab::native {

enum class RecoveryMode : uint8_t {
  kCrash,   ///< What is torn is undone.
  kClean,   ///< The medium was unmounted: nothing may be torn.
  kVerify,  ///< Beside a mounted file system: nothing may be torn, nothing is stored.
};

/// Loads everything reachable. kCorrupt says what is wrong. The allocator is left for finish_recovery().
Result<void> recover(FileSystem& fs, RecoveryMode mode, unsigned threads);
/// The rest is free.
void finish_recovery(FileSystem& fs);

/// Where the log of every inode with a name ends: a clean medium that reads otherwise is damaged.
struct Digest {
  uint64_t sum = 0;
  uint64_t inodes = 0;
};
Digest digest(FileSystem& fs);

/// A bare inode for a slot's contents; no log, no references but one.
std::unique_ptr<Inode> make_inode(const Volume& volume, const InodeDisk& disk, InodeDisk* slot);

}  // namespace daxlab::native
