// The blocks of an inode's data fork as metadata objects: what a directory, a remote symlink or a quota file lives in.
//
// An object is `object_bytes` long at address * object_bytes of the file; its blocks need not be contiguous. With a transaction,
// objects are locked exclusive and stay so until the commit if they were asked for with kWrite; without one they are locked shared
// for as long as the reference is held.
//
// Threads: one thread's; the inode's ilock, exclusive with a transaction, else shared. Its extents are loaded (bmap.h).
#pragma once

#include <cstdint>

#include "engines/xfslike/buffer.h"
#include "engines/xfslike/format.h"
#include "engines/xfslike/metadata_bytes.h"

namespace daxlab::xfslike {

class Inode;
class Transaction;

class InodeBlockSpace final : public BlockSpace {
 public:
  /// `transaction` may be null: then only kRead, next() and unused(). It has joined the inode if anything is changed.
  InodeBlockSpace(Inode& inode, Transaction* transaction, Magic magic, uint32_t object_bytes)
      : inode_(inode), transaction_(transaction), magic_(magic), object_blocks_(object_bytes / static_cast<uint32_t>(kBlockBytes)) {}

  uint32_t block_bytes() const override { return object_blocks_ * static_cast<uint32_t>(kBlockBytes); }
  Result<MetadataRef> get(uint64_t address, Access access) override;
  Result<MetadataRef> add(uint64_t address) override;
  Result<void> remove(uint64_t address) override;
  Result<uint64_t> next(uint64_t address) override;
  Result<uint64_t> unused(uint64_t address) override;

 private:
  Result<BufferName> name_of(uint64_t address) const;

  Inode& inode_;
  Transaction* const transaction_;
  const Magic magic_;
  const uint32_t object_blocks_;
};

}  // namespace daxlab::xfslike
