// The directories of a metadata workload, each holding `population` empty files; names are made before the measured section.
//
// Created in the root as "dir0", "dir1", ...; one a thread, or one that is shared and of whose names each thread has a part.
// Threads: create() before the workers; the rest is const and may run in all of them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "workloads/workload.h"

namespace daxlab {

/// `count` names of 12 bytes: a letter and a number.
class NameSet {
 public:
  static constexpr size_t kNameBytes = 12;

  NameSet(char letter, uint64_t first, uint64_t count);
  uint64_t size() const { return count_; }
  std::string_view operator[](uint64_t i) const { return {text_.data() + i * kNameBytes, kNameBytes}; }

 private:
  std::string text_;
  uint64_t count_;
};

/// The names [first, first + count) of directory `directory`.
struct NamePart {
  uint64_t directory = 0;
  uint64_t first = 0;
  uint64_t count = 0;
};

class DirectorySet {
 public:
  /// A directory that holds fewer names than threads share it is kUsage.
  Result<void> create(const WorkloadContext& context, uint64_t population, bool shared);

  NamePart part(uint32_t thread) const;
  uint64_t directory_count() const { return directories_.size(); }
  const NameSet& names() const { return names_; }
  /// Inodes of one directory's names, in order of names().
  std::span<const InodeId> inodes(uint64_t directory) const { return inodes_[directory]; }
  Result<std::unique_ptr<Directory>> open(Engine& engine, uint64_t directory) const;

 private:
  std::vector<InodeId> directories_;
  std::vector<std::vector<InodeId>> inodes_;
  NameSet names_{'n', 0, 0};
  uint32_t threads_ = 1;
  bool shared_ = false;
};

/// Creates `name` as an empty file, closes it and drops the reference; returns its inode.
Result<InodeId> create_empty(Engine& engine, Directory& directory, std::string_view name);

/// What a directory should hold: name -> inode, 0 where any will do.
using Listing = std::unordered_map<std::string_view, InodeId>;
/// kCorrupt unless a listing of `directory` gives exactly these names, each once, with these inodes.
Result<void> check_listing(Directory& directory, uint64_t number, const Listing& expected);

}  // namespace daxlab
