// A directory: look-ups, listings and the operations that change names. Creation and links are in names.cc, removal in
// names_remove.cc, renames in names_rename.cc.
//
// Locks: the directory's rwsem, shared to look, exclusive to change, as the VFS holds it; inside, ilocks. Whatever can refuse an
// operation is looked at before its transaction begins, so that a transaction that has changed something ends well.
//
// Threads: from any thread.
#pragma once

#include <memory>
#include <string_view>

#include "engines/api/engine.h"
#include "engines/xfslike/directory_index.h"
#include "engines/xfslike/file_system.h"

namespace daxlab::xfslike {

class CoreDirectory final : public Directory {
 public:
  /// Takes over one reference of the inode.
  CoreDirectory(FileSystem& fs, Inode& inode) : handle_(fs, inode) {}

  InodeId ino() const override { return handle_.inode().ino(); }
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
  Result<Attributes> getattr() override;
  Result<Attributes> setattr(const SetAttributes& changes) override;
  Result<void> fsync() override;

  Inode& inode() const { return handle_.inode(); }

 private:
  struct NewNode {
    NodeKind kind;
    uint32_t mode;
    uint64_t device = 0;
    std::string_view target;
  };
  /// What the name stands for, referenced.
  Result<Inode*> find_inode(std::string_view name);
  /// Makes an inode and its name; returns it with one reference.
  Result<Inode*> make_node(std::string_view name, const NewNode& node, const Caller& caller);
  Result<void> fill_node(Transaction& transaction, Inode& inode, const NewNode& node);

  Handle handle_;
};

/// What a name stands for; the directory's rwsem is held. kNotFound.
Result<DirFound> find_name(Inode& directory, std::string_view name);
/// The parent that a directory names.
Result<InodeId> parent_of(Inode& directory);
/// mtime and ctime, in a transaction that has the directory joined.
void touch_directory(Transaction& transaction, Inode& directory, uint64_t now_ns);

/// After the last name of a held inode is gone: what was stored through mappings is nobody's.
void forget_stores(FileSystem& fs, Inode& inode);

/// rename(2) between two directories of one file system.
Result<void> rename_name(FileSystem& fs, Inode& from, std::string_view from_name, Inode& to, std::string_view to_name,
                         RenameFlags flags);

/// A remote symlink's target, or a local one's.
Result<std::string> read_target(Inode& inode);

}  // namespace daxlab::xfslike
