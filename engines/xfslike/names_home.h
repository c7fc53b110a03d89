// A directory's inode as its names see it: the short form in the literal area, blocks in the data fork.
//
// Threads: one thread's; the inode's ilock, exclusive with a transaction that has joined the inode, else shared.
#pragma once

#include "engines/xfslike/directory_index.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/inode_block_space.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

class NamesHome final : public DirectoryHome {
 public:
  /// `transaction` may be null: then nothing can be changed.
  NamesHome(Inode& inode, Transaction* transaction)
      : inode_(inode),
        transaction_(transaction),
        space_(inode, transaction, Magic::kDirectory, inode.volume().superblock.dirblock_bytes),
        index_(*this) {}

  DirectoryIndex* operator->() { return &index_; }

  uint64_t ino() const override { return inode_.ino(); }
  BlockSpace& blocks() override { return space_; }
  bool is_short() const override { return inode_.fork_format() == ForkFormat::kLocal; }
  std::span<const std::byte> short_form() const override { return inode_.local(); }
  uint32_t short_form_bytes_max() const override { return kForkBytes; }
  void set_short_form(std::span<const std::byte> bytes) override {
    if (!is_short()) inode_.start_fork(ForkFormat::kLocal);  // its blocks are gone
    inode_.set_local(bytes);
    transaction_->log(inode_, kInodeCore | kInodeFork | kInodeData);
  }
  void leave_short_form() override {
    inode_.make_extents();
    transaction_->log(inode_, kInodeCore | kInodeFork | kInodeData);
  }
  uint64_t size_bytes() const override { return inode_.core.size_bytes; }
  void set_size_bytes(uint64_t size_bytes) override {
    inode_.core.size_bytes = size_bytes;
    transaction_->log(inode_, kInodeCore | kInodeData);
  }

 private:
  Inode& inode_;
  Transaction* const transaction_;
  InodeBlockSpace space_;
  DirectoryIndex index_;
};

}  // namespace daxlab::xfslike
