#include "engines/xfslike/names.h"

#include "engines/api/names.h"
#include "engines/base/clock.h"
#include "engines/xfslike/attributes.h"
#include "engines/xfslike/file.h"
#include "engines/xfslike/inode_allocation.h"
#include "engines/xfslike/names_home.h"
#include "engines/xfslike/operation.h"
#include "engines/xfslike/symlink_format.h"

namespace daxlab::xfslike {

namespace {
constexpr uint32_t kSetgid = 02000;
constexpr uint32_t kSymlinkMode = 0777;
constexpr uint32_t kLinksMax = (uint32_t{1} << 31) - 1;  // XFS_MAXLINK

InodeBlockSpace symlink_space(Inode& inode, Transaction* transaction) {
  return {inode, transaction, Magic::kSymlink, static_cast<uint32_t>(kBlockBytes)};
}

/// What must be known of a directory before a name is added to it: kNotFound where it has been removed, kExists.
struct Room {
  uint32_t objects;  ///< Directory blocks that the name may take.
  uint32_t mode;
  uint32_t gid;
};
Result<Room> room_for(Inode& directory, std::string_view name) {
  const SharedIlock lock(directory);
  if (directory.core.links == 0) return Errc::kNotFound;
  NamesHome names(directory, nullptr);
  const auto found = names->lookup(name);
  if (found.ok()) return Errc::kExists;
  if (found.code() != Errc::kNotFound) return found.error();
  DAXLAB_ASSIGN(const uint32_t objects, names->insert_blocks(name.size()));
  return Room{objects, directory.core.mode, directory.core.gid};
}

}  // namespace

Result<DirFound> find_name(Inode& directory, std::string_view name) {
  const SharedIlock lock(directory);
  return NamesHome(directory, nullptr)->lookup(name);
}

Result<InodeId> parent_of(Inode& directory) {
  const SharedIlock lock(directory);
  return NamesHome(directory, nullptr)->parent();
}

void touch_directory(Transaction& transaction, Inode& directory, uint64_t now_ns) {
  directory.core.mtime_ns = now_ns;
  directory.core.ctime_ns = now_ns;
  transaction.log(directory, kInodeCore);
}

Result<Inode*> CoreDirectory::find_inode(std::string_view name) {
  DAXLAB_TRY(check_name(name));
  const SharedRwsem rwsem(handle_.inode());
  DAXLAB_ASSIGN(const DirFound found, find_name(handle_.inode(), name));
  return handle_.fs().get(found.ino);
}

Result<Attributes> CoreDirectory::lookup(std::string_view name) {
  DAXLAB_ASSIGN(Inode* const inode, find_inode(name));
  return attributes_of(*inode);
}

Result<Attributes> CoreDirectory::stat(std::string_view name) {
  DAXLAB_ASSIGN(Inode* const inode, find_inode(name));
  const Attributes attributes = attributes_of(*inode);
  handle_.fs().release(*inode);
  return attributes;
}

// Order: remote blocks of a symlink, the new inode, the parent's blocks and core are one transaction. A crash before its checkpoint
// is durable leaves nothing of it, after it all.
Result<Inode*> CoreDirectory::make_node(std::string_view name, const NewNode& node, const Caller& caller) {
  DAXLAB_TRY(check_name(name));
  FileSystem& fs = handle_.fs();
  Inode& directory = handle_.inode();
  const ExclusiveRwsem rwsem(directory);
  DAXLAB_ASSIGN(const Room room, room_for(directory, name));
  const bool is_directory = node.kind == NodeKind::kDirectory;
  const bool setgid = (room.mode & kSetgid) != 0;
  const uint32_t gid = setgid ? room.gid : caller.gid;
  DAXLAB_TRY(fs.volume->dquots.ensure(caller.uid, gid));
  DAXLAB_ASSIGN(InodeSlot slot, InodeSlot::take(*fs.volume, directory.ino(), node.kind));
  const uint32_t remote = node.target.size() > kForkBytes ? symlink_blocks(node.target.size(), kBlockBytes) : 0;
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::create(*fs.volume, room.objects, remote)));
  Transaction& transaction = **operation;
  const ExclusiveIlock ilock(directory);
  transaction.join(directory);

  NewInode what;
  what.kind = node.kind;
  what.mode = (node.mode & 07777 & ~caller.umask) | (setgid && is_directory ? kSetgid : 0);
  what.uid = caller.uid;
  what.gid = gid;
  what.device = node.device;
  what.now_ns = realtime_coarse_ns();
  DAXLAB_ASSIGN(Inode* const inode, allocate_inode(transaction, slot, what));
  const OrderedLock made(inode->ilock, LockRank::kInode, inode->ino(), OrderedLock::Adopt{});
  inode->core.links = is_directory ? 2 : 1;
  DAXLAB_TRY(fill_node(transaction, *inode, node));
  NamesHome names(directory, &transaction);
  DAXLAB_TRY(names->insert(name, {inode->ino(), node.kind}));
  if (is_directory) ++directory.core.links;
  touch_directory(transaction, directory, what.now_ns);
  DAXLAB_TRY(operation->commit());
  DAXLAB_TRY(fs.settle(operation->sequence()));
  return inode;
}

Result<void> CoreDirectory::fill_node(Transaction& transaction, Inode& inode, const NewNode& node) {
  if (node.kind == NodeKind::kDirectory) NamesHome(inode, &transaction)->make_empty(handle_.inode().ino());
  if (node.kind == NodeKind::kSymlink && node.target.size() <= kForkBytes) {
    inode.set_local(std::as_bytes(std::span(node.target)));
  } else if (node.kind == NodeKind::kSymlink) {
    inode.make_extents();
    InodeBlockSpace space = symlink_space(inode, &transaction);
    DAXLAB_TRY(write_symlink(space, node.target));
  }
  if (node.kind == NodeKind::kSymlink) inode.core.size_bytes = node.target.size();
  transaction.log(inode, kInodeCore | kInodeFork | kInodeData);
  return {};
}

Result<CreatedFile> CoreDirectory::create(std::string_view name, uint32_t mode, const Caller& caller) {
  DAXLAB_ASSIGN(Inode* const inode, make_node(name, {NodeKind::kFile, mode, 0, {}}, caller));
  FileSystem& fs = handle_.fs();
  CreatedFile created{attributes_of(*inode), nullptr};
  fs.volume->inodes.reference(*inode);
  created.file = std::make_unique<CoreFile>(fs, *inode, OpenFlags{});
  return created;
}

Result<Attributes> CoreDirectory::mkdir(std::string_view name, uint32_t mode, const Caller& caller) {
  DAXLAB_ASSIGN(Inode* const inode, make_node(name, {NodeKind::kDirectory, mode, 0, {}}, caller));
  return attributes_of(*inode);
}

Result<Attributes> CoreDirectory::mknod(std::string_view name, NodeKind kind, uint32_t mode, uint64_t device, const Caller& caller) {
  if (kind == NodeKind::kDirectory || kind == NodeKind::kSymlink) return Errc::kInvalid;
  const bool has_device = kind == NodeKind::kCharDevice || kind == NodeKind::kBlockDevice;
  DAXLAB_ASSIGN(Inode* const inode, make_node(name, {kind, mode, has_device ? device : 0, {}}, caller));
  return attributes_of(*inode);
}

Result<Attributes> CoreDirectory::symlink(std::string_view name, std::string_view target, const Caller& caller) {
  DAXLAB_TRY(check_symlink_target(target));
  Caller owner = caller;
  owner.umask = 0;
  DAXLAB_ASSIGN(Inode* const inode, make_node(name, {NodeKind::kSymlink, kSymlinkMode, 0, target}, owner));
  return attributes_of(*inode);
}

Result<std::string> read_target(Inode& inode) {
  const SharedIlock lock(inode);
  if (inode.kind() != NodeKind::kSymlink) return Errc::kInvalid;
  if (inode.fork_format() == ForkFormat::kLocal) {
    const auto local = inode.local();
    return std::string(reinterpret_cast<const char*>(local.data()), local.size());
  }
  InodeBlockSpace space = symlink_space(inode, nullptr);
  return read_symlink(space, inode.core.size_bytes);
}

// Order: the name and the count of links are one transaction.
Result<Attributes> CoreDirectory::link(std::string_view name, InodeId target) {
  DAXLAB_TRY(check_name(name));
  FileSystem& fs = handle_.fs();
  Inode& directory = handle_.inode();
  Held inode(fs, target);
  if (!inode.ok()) return inode.error().code() == Errc::kStale ? Error(Errc::kNotFound) : inode.error();
  {
    const SharedIlock lock(*inode);
    if (inode->kind() == NodeKind::kDirectory) return Errc::kPermission;
  }
  const ExclusiveRwsem rwsem(directory);
  DAXLAB_ASSIGN(const Room room, room_for(directory, name));
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::names(*fs.volume, room.objects, 2)));
  Transaction& transaction = **operation;
  {
    const bool directory_first = directory.ino() < inode->ino();
    const ExclusiveIlock first(directory_first ? directory : *inode);
    const ExclusiveIlock second(directory_first ? *inode : directory);
    if (inode->core.links == 0) return Errc::kNotFound;
    if (inode->core.links >= kLinksMax) return Errc::kTooManyLinks;
    transaction.join(directory);
    transaction.join(*inode);
    NamesHome names(directory, &transaction);
    DAXLAB_TRY(names->insert(name, {inode->ino(), inode->kind()}));
    const uint64_t now_ns = realtime_coarse_ns();
    touch_directory(transaction, directory, now_ns);
    ++inode->core.links;
    inode->core.ctime_ns = now_ns;
    transaction.log(*inode, kInodeCore | kInodeData);
    DAXLAB_TRY(operation->commit());
  }
  DAXLAB_TRY(fs.settle(operation->sequence()));
  return attributes_of(inode.keep());
}

Result<void> CoreDirectory::rename(std::string_view from_name, Directory& to, std::string_view to_name, RenameFlags flags) {
  auto& destination = static_cast<CoreDirectory&>(to);  // of the same engine, says the interface
  return rename_name(handle_.fs(), handle_.inode(), from_name, destination.inode(), to_name, flags);
}

Result<void> CoreDirectory::readdir(uint64_t cookie, const Visitor& visit) {
  Inode& directory = handle_.inode();
  const SharedRwsem rwsem(directory);
  const SharedIlock lock(directory);
  return NamesHome(directory, nullptr)->list(cookie, visit);
}

Result<Attributes> CoreDirectory::getattr() { return attributes_of(handle_.inode()); }

Result<Attributes> CoreDirectory::setattr(const SetAttributes& changes) {
  return set_attributes(handle_.fs(), handle_.inode(), changes);
}

Result<void> CoreDirectory::fsync() { return handle_.fs().force(handle_.inode().last_sequence.load(std::memory_order_acquire)); }

}  // namespace daxlab::xfslike
