// An open directory: every call is the *at() system call of its name on one O_PATH descriptor. Threads: as api/engine.h.
#pragma once

#include "engines/api/engine.h"
#include "engines/posix/engine.h"

namespace daxlab::posix {

class PosixDirectory final : public Directory {
 public:
  /// Takes over one reference on `node`.
  PosixDirectory(PosixEngine& engine, Node* node);
  ~PosixDirectory() override;

  InodeId ino() const override { return node_->ino; }
  Result<Attributes> lookup(std::string_view name) override;
  Result<Attributes> stat(std::string_view name) override;
  Result<CreatedFile> create(std::string_view name, uint32_t mode, const Caller& caller) override;
  Result<Attributes> mkdir(std::string_view name, uint32_t mode, const Caller& caller) override;
  Result<Attributes> mknod(std::string_view name, NodeKind kind, uint32_t mode, uint64_t device, const Caller& caller) override;
  Result<Attributes> symlink(std::string_view name, std::string_view target, const Caller& caller) override;
  Result<Attributes> link(std::string_view name, InodeId target) override;
  Result<void> unlink(std::string_view name) override;
  Result<void> rmdir(std::string_view name) override;
  Result<void> rename(std::string_view from_name, Directory& to, std::string_view to_name, RenameFlags flags) override;
  Result<void> readdir(uint64_t cookie, const Visitor& visit) override;
  Result<Attributes> getattr() override { return attributes_of(fd()); }
  Result<Attributes> setattr(const SetAttributes& changes) override { return change_attributes(fd(), changes); }
  Result<void> fsync() override;

 private:
  int fd() const { return node_->fd.get(); }
  Result<Fd> take_listing();
  /// Gives what was just created by this process the owner and mode that `caller` asked for.
  Result<Attributes> adopt(int created_fd, uint32_t mode, const Caller& caller);
  /// Opens what mkdir(2), mknod(2) or symlink(2) has just made: there is no call that makes and opens. kStale where another thread has
  /// removed, moved or replaced the name in between.
  Result<Attributes> refer_created(const CName& name, NodeKind kind, uint32_t mode, const Caller& caller);

  PosixEngine& engine_;
  Node* const node_;
  FdPool listings_;  // O_RDONLY: one listing needs the file position for itself
};

}  // namespace daxlab::posix
