// A directory: its names in DRAM over its log, and the operations that change one log. Renames are in rename.cc.
//
// Threads: from any thread; look-ups and listings share the directory's lock, changes hold it through their fence, so that nobody sees a
// name that a crash could take back.
#pragma once

#include <memory>
#include <string_view>

#include "engines/api/engine.h"
#include "engines/native/file_system.h"

namespace daxlab::native {

/// A record of one directory's log, built on the stack: the longest name takes six lines.
class DentryRecord {
 public:
  /// Adds `name` under `cookie` for an inode, removes `removes` (0: nothing), or both.
  static DentryRecord add(std::string_view name, uint64_t cookie, InodeId id, NodeKind kind, uint64_t removes, uint64_t time_ns);
  static DentryRecord remove(uint64_t cookie, uint64_t time_ns);

  DentryRecord& flag(uint8_t flags);
  DentryRecord& in_transaction(uint64_t number);
  Record record() { return {lines_, count_, 0}; }

 private:
  static constexpr uint32_t kLinesMax = record_lines(sizeof(DentryRecordDisk) + sizeof(TransactionDisk) + kNameBytesMax);
  DentryRecord() = default;
  void put(const DentryRecordDisk& disk) { std::memcpy(lines_, &disk, sizeof disk); }
  Line lines_[kLinesMax]{};
  uint32_t count_ = 1;
};

class NativeDirectory final : public Directory {
 public:
  /// Takes over one reference of the inode.
  NativeDirectory(FileSystem& fs, Inode& inode) : handle_(fs, inode) {}

  InodeId ino() const override { return handle_.inode().id(); }
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
  Result<Attributes> getattr() override { return attributes_of(handle_.inode()); }
  Result<Attributes> setattr(const SetAttributes& changes) override { return set_attributes(handle_.fs(), handle_.inode(), changes); }
  Result<void> fsync() override { return {}; }  // every change was durable when it returned

 private:
  struct NewNode {
    NodeKind kind;
    uint32_t mode;
    uint64_t device = 0;
    std::string_view target;
  };
  /// Makes an inode and its name; returns it with `references` taken.
  Result<Inode*> make_node(std::string_view name, const NewNode& node, const Caller& caller, uint32_t references);
  /// A further name for an inode that the caller has a reference on.
  Result<void> add_link(std::string_view name, Inode& inode);
  Result<void> write_target(Inode& inode, std::string_view target);

  Handle handle_;
};

/// After a record of the directory is durable: its times and the log page that says so. Under its lock.
void touch_directory(FileSystem& fs, Inode& directory, uint32_t log_page, uint64_t time_ns);

/// rename(2) between two directories of one file system.
Result<void> rename_name(FileSystem& fs, Inode& from, std::string_view from_name, Inode& to, std::string_view to_name,
                         RenameFlags flags);

}  // namespace daxlab::native
