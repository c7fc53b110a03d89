// The steps of a check and what they hand on to each other: which blocks have an owner, and what is known of each inode.
// Threads: one.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engines/api/types.h"
#include "engines/xfslike/dquot.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

class CheckSteps {
 public:
  /// `volume` reads the medium for the first time and has loaded its groups.
  CheckSteps(Volume& volume, CheckReport& report)
      : volume_(volume), report_(report), claimed_(volume.superblock.block_count) {}

  void superblocks();
  void groups();       ///< Claims what groups and log take.
  void inodes();       ///< Every inode by itself; claims its blocks.
  void names();        ///< Every directory, from the root; links.
  void quota();
  void free_space();   ///< After all claims.

  template <typename... Args>
  void find(const char* kind, fmt::format_string<Args...> text, Args&&... args) {
    constexpr size_t kFindingsMax = 200;
    if (report_.findings.size() >= kFindingsMax) return;
    report_.findings.push_back(std::string(kind) + ": " + fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  /// What one inode says of itself, and what was found of it.
  struct Known {
    NodeKind kind = NodeKind::kFile;
    uint32_t links = 0;
    uint32_t uid = 0;
    uint32_t gid = 0;
    uint64_t blocks = 0;
    uint64_t names = 0;        ///< Entries that lead to it.
    uint64_t directories = 0;  ///< Of a directory: entries in it that are directories.
    bool reached = false;
  };

  void claim(uint64_t block, uint64_t count, const char* what, uint64_t owner);
  void used_inode(uint64_t ino);
  void free_inode(uint64_t ino);
  void inode(Inode& inode, Known& known);
  void fork(Inode& inode);
  uint64_t claim_extents(Inode& inode);
  void symlink(Inode& inode);
  void directory(uint64_t ino, uint64_t parent, std::vector<std::pair<uint64_t, uint64_t>>& next);
  void entry(uint64_t directory, const DirectoryEntry& entry, std::vector<std::pair<uint64_t, uint64_t>>& next);
  void quota_file(QuotaKind kind, uint64_t ino, const std::map<uint32_t, Usage>& expected);

  Volume& volume_;
  CheckReport& report_;
  std::vector<bool> claimed_;
  std::unordered_map<uint64_t, Known> known_;
};

}  // namespace daxlab::xfslike
