#include "engines/posix/directory.h"

#include <dirent.h>
#include <sys/syscall.h>

#include "engines/posix/file.h"

namespace daxlab::posix {
namespace {

constexpr size_t kListingBufferBytes = 32 * 1024;

/// What getdents64(2) fills a buffer with.
struct LinuxDirent {
  uint64_t d_ino;
  int64_t d_off;
  uint16_t d_reclen;
  uint8_t d_type;
  char d_name[1];
};

NodeKind kind_of_type(uint8_t type) { return kind_of(static_cast<mode_t>(DTTOIF(type))); }

bool is_dot_or_dotdot(std::string_view name) { return name == "." || name == ".."; }

/// Shows the entries in `buffer` to the visitor; false when it wants no more.
bool show(const char* buffer, size_t size_bytes, const Directory::Visitor& visit) {
  for (size_t at = 0; at < size_bytes;) {
    const auto* entry = reinterpret_cast<const LinuxDirent*>(buffer + at);
    at += entry->d_reclen;
    const std::string_view name(entry->d_name);
    if (is_dot_or_dotdot(name)) continue;
    if (!visit({name, entry->d_ino, kind_of_type(entry->d_type), static_cast<uint64_t>(entry->d_off)})) return false;
  }
  return true;
}

}  // namespace

PosixDirectory::PosixDirectory(PosixEngine& engine, Node* node) : engine_(engine), node_(node) { engine_.handle_opened(); }

PosixDirectory::~PosixDirectory() { engine_.handle_closed(node_); }

Result<Attributes> PosixDirectory::lookup(std::string_view name) {
  const CName c_name(name);
  DAXLAB_TRY(c_name.checked());
  Fd found(::openat(fd(), c_name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!found.valid()) return last_error();
  return engine_.refer(std::move(found));
}

Result<Attributes> PosixDirectory::stat(std::string_view name) {
  const CName c_name(name);
  DAXLAB_TRY(c_name.checked());
  struct stat status;
  if (::fstatat(fd(), c_name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) return last_error();
  return attributes_of(status);
}

Result<Attributes> PosixDirectory::adopt(int created_fd, uint32_t mode, const Caller& caller) {
  DAXLAB_ASSIGN(Attributes attributes, attributes_of(created_fd));
  SetAttributes changes;
  if (attributes.uid != caller.uid) changes.uid = caller.uid;
  uint32_t wanted_mode = mode & ~caller.umask & 07777u;
  if (attributes.gid != caller.gid) {
    DAXLAB_ASSIGN(const Attributes here, getattr());
    if ((here.mode & S_ISGID) == 0) changes.gid = caller.gid;
  }
  // A directory made in a setgid directory is one itself; the kernel has seen to it.
  if (attributes.kind == NodeKind::kDirectory) wanted_mode |= attributes.mode & S_ISGID;
  if (attributes.kind != NodeKind::kSymlink && (attributes.mode != wanted_mode || changes.uid || changes.gid))
    changes.mode = wanted_mode;
  if (!changes.uid && !changes.gid && !changes.mode) return attributes;
  return change_attributes(created_fd, changes);
}

Result<CreatedFile> PosixDirectory::create(std::string_view name, uint32_t mode, const Caller& caller) {
  const CName c_name(name);
  DAXLAB_TRY(c_name.checked());
  const mode_t wanted = mode & ~caller.umask & 07777u;
  Fd created(::openat(fd(), c_name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, wanted));
  if (!created.valid()) return last_error();
  DAXLAB_ASSIGN(const Attributes attributes, adopt(created.get(), mode, caller));
  Node* const node =
      engine_.nodes().refer(attributes.ino, attributes.kind, created, 2);  // the caller's and the File's
  return CreatedFile{attributes, std::make_unique<PosixFile>(engine_, node, std::move(created), true)};
}

Result<Attributes> PosixDirectory::refer_created(const CName& name, NodeKind kind, uint32_t mode, const Caller& caller) {
  Fd created(::openat(fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!created.valid()) return errno == ENOENT ? Errc::kStale : last_error();
  DAXLAB_ASSIGN(const Attributes found, attributes_of(created.get()));
  if (found.kind != kind) return Errc::kStale;
  DAXLAB_TRY(adopt(created.get(), mode, caller));
  return engine_.refer(std::move(created));
}

Result<Attributes> PosixDirectory::mkdir(std::string_view name, uint32_t mode, const Caller& caller) {
  const CName c_name(name);
  DAXLAB_TRY(c_name.checked());
  DAXLAB_TRY(as_result(::mkdirat(fd(), c_name.c_str(), mode & ~caller.umask & 07777u)));
  return refer_created(c_name, NodeKind::kDirectory, mode, caller);
}

Result<Attributes> PosixDirectory::mknod(std::string_view name, NodeKind kind, uint32_t mode, uint64_t device,
                                         const Caller& caller) {
  const CName c_name(name);
  DAXLAB_TRY(c_name.checked());
  if (kind == NodeKind::kDirectory || kind == NodeKind::kSymlink) return Errc::kInvalid;
  const bool is_device = kind == NodeKind::kCharDevice || kind == NodeKind::kBlockDevice;
  const mode_t wanted = mode_of(kind) | (mode & ~caller.umask & 07777u);
  DAXLAB_TRY(as_result(::mknodat(fd(), c_name.c_str(), wanted, is_device ? device : 0)));
  return refer_created(c_name, kind, mode, caller);
}

Result<Attributes> PosixDirectory::symlink(std::string_view name, std::string_view target, const Caller& caller) {
  const CName c_name(name);
  DAXLAB_TRY(c_name.checked());
  DAXLAB_TRY(check_symlink_target(target));
  DAXLAB_TRY(as_result(::symlinkat(std::string(target).c_str(), fd(), c_name.c_str())));
  return refer_created(c_name, NodeKind::kSymlink, 0777, caller);
}

Result<Attributes> PosixDirectory::link(std::string_view name, InodeId target) {
  const CName c_name(name);
  DAXLAB_TRY(c_name.checked());
  Node* const node = engine_.nodes().find(target);  // the caller's new reference
  if (node == nullptr) return Errc::kStale;
  Result<Attributes> linked = Errc::kPermission;  // a directory
  if (node->kind != NodeKind::kDirectory) {
    const int returned = ::linkat(AT_FDCWD, ProcPath(node->fd.get()).c_str(), fd(), c_name.c_str(), AT_SYMLINK_FOLLOW);
    linked = returned < 0 ? Result<Attributes>(last_error()) : attributes_of(node->fd.get());
  }
  if (!linked.ok()) engine_.nodes().release(target, 1);
  return linked;
}

Result<void> PosixDirectory::unlink(std::string_view name) {
  const CName c_name(name);
  DAXLAB_TRY(c_name.checked());
  return as_result(::unlinkat(fd(), c_name.c_str(), 0));
}

Result<void> PosixDirectory::rmdir(std::string_view name) {
  const CName c_name(name);
  DAXLAB_TRY(c_name.checked());
  return as_result(::unlinkat(fd(), c_name.c_str(), AT_REMOVEDIR));
}

Result<void> PosixDirectory::rename(std::string_view from_name, Directory& to, std::string_view to_name, RenameFlags flags) {
  const CName from(from_name);
  const CName target(to_name);
  DAXLAB_TRY(from.checked());
  DAXLAB_TRY(target.checked());
  if (flags != RenameFlags::kNone && flags != RenameFlags::kNoReplace) return Errc::kInvalid;
  const unsigned kernel_flags = flags == RenameFlags::kNoReplace ? RENAME_NOREPLACE : 0;
  const auto& target_directory = static_cast<PosixDirectory&>(to);  // of the same engine, says the interface
  return as_result(::renameat2(fd(), from.c_str(), target_directory.fd(), target.c_str(), kernel_flags));
}

Result<Fd> PosixDirectory::take_listing() {
  Fd listing = listings_.take();
  if (!listing.valid()) listing = Fd(::openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!listing.valid()) return last_error();
  return listing;
}

Result<void> PosixDirectory::readdir(uint64_t cookie, const Visitor& visit) {
  DAXLAB_ASSIGN(Fd listing, take_listing());
  if (::lseek(listing.get(), static_cast<off_t>(cookie), SEEK_SET) < 0) return last_error();
  alignas(LinuxDirent) char buffer[kListingBufferBytes];
  while (true) {
    const long got = ::syscall(SYS_getdents64, listing.get(), buffer, sizeof(buffer));
    if (got < 0) return last_error();
    if (got == 0 || !show(buffer, static_cast<size_t>(got), visit)) break;
  }
  listings_.put(std::move(listing));
  return {};
}

Result<void> PosixDirectory::fsync() {
  DAXLAB_ASSIGN(Fd listing, take_listing());
  DAXLAB_TRY(as_result(::fsync(listing.get())));
  listings_.put(std::move(listing));
  return {};
}

}  // namespace daxlab::posix
