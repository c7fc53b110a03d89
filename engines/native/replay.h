// What the records of one log mean: turns them, in order, into the DRAM state of its inode. Every field is checked.
#pragma once

#include <cstdint>
#include <vector>

#include "engines/base/result.h"
#include "engines/native/inode.h"
#include "engines/native/log_reader.h"

namespace daxlab::native {

/// Bytes of a kSmall record that may not be in their place.
struct Redo {
  uint64_t offset;
  uint32_t block;
  std::vector<std::byte> bytes;
};

class Replay {
 public:
  Replay(Volume& volume, Inode& inode) : volume_(volume), inode_(inode) {}

  /// Exclusive owner of the inode. kCorrupt where a record cannot be.
  Result<void> apply(const LogRecord& record);
  /// What is still to be stored in place after the last record, in order.
  const std::vector<Redo>& redo() const { return redo_; }

 private:
  Result<void> apply_write(const LogRecord& record);
  Result<void> apply_small(const LogRecord& record);
  Result<void> apply_attributes(const LogRecord& record);
  Result<void> apply_punch(const LogRecord& record);
  Result<void> apply_touch(const LogRecord& record);
  Result<void> apply_dentry(const LogRecord& record);
  Result<void> apply_target(const LogRecord& record);
  Error damage(const char* what, const LogRecord& record) const;
  void unmap(uint64_t first_page, uint64_t end_page);
  void forget_redo(uint64_t begin, uint64_t end);
  void set_times(const LogRecord& record, uint64_t mtime_ns, uint64_t ctime_ns);

  Volume& volume_;
  Inode& inode_;
  std::vector<Redo> redo_;
};

}  // namespace daxlab::native
