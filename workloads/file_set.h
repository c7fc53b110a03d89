// The files of a data workload: one a thread, or one that is shared and of which each thread has a part of its own.
//
// Created in the root as "data0", "data1", ...; their inodes are kept by a look-up reference until the engine goes.
// Threads: create() before the workers; the rest is const and may run in all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "workloads/content.h"
#include "workloads/workload.h"

namespace daxlab {

/// Of one file: block numbers in units of block_bytes.
struct FilePart {
  uint64_t file = 0;
  uint64_t first_block = 0;
  uint64_t block_count = 0;
};

class FileSet {
 public:
  /// `blocks_per_thread` blocks a thread. Filled files hold version 0 of every block and are synced; others are empty.
  Result<void> create(const WorkloadContext& context, const Content& content, uint64_t blocks_per_thread, bool shared,
                      bool filled);

  FilePart part(uint32_t thread) const;
  uint64_t file_count() const { return inodes_.size(); }
  uint64_t blocks_per_file() const { return blocks_per_file_; }
  Result<std::unique_ptr<File>> open(Engine& engine, uint64_t file, OpenFlags flags = {}) const;

 private:
  std::vector<InodeId> inodes_;
  uint64_t blocks_per_thread_ = 0;
  uint64_t blocks_per_file_ = 0;
  bool shared_ = false;
};

/// ftruncate().
Result<void> truncate(File& file, uint64_t size_bytes);
/// Writes version 0 of blocks [part.first_block, + part.block_count) at their places.
Result<void> fill_part(File& file, const Content& content, const FilePart& part);
/// Reads the part and compares block part.first_block + i with its version versions[i]; an error is wrong data.
Result<void> check_part(File& file, const Content& content, const FilePart& part, std::span<const uint64_t> versions);
/// kCorrupt unless the file has this size.
Result<void> check_size(File& file, uint64_t number, uint64_t size_bytes);

}  // namespace daxlab
