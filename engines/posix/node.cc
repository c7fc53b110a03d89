#include "engines/posix/node.h"

#include "engines/base/check.h"

namespace daxlab::posix {
namespace {

uint64_t ns_of(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(time.tv_nsec);
}

timespec timespec_of(const std::optional<uint64_t>& time_ns) {
  if (!time_ns) return {0, UTIME_OMIT};
  return {static_cast<time_t>(*time_ns / 1'000'000'000u), static_cast<long>(*time_ns % 1'000'000'000u)};
}

Result<void> change_size(int fd, NodeKind kind, uint64_t size_bytes) {
  if (kind == NodeKind::kDirectory) return Errc::kIsDirectory;
  if (kind != NodeKind::kFile) return Errc::kInvalid;
  return as_result(::truncate(ProcPath(fd).c_str(), static_cast<off_t>(size_bytes)));
}

/// A kernel clears setuid and setgid when the owner changes; setattr() leaves what it was not asked to change.
Result<void> change_owner(int fd, const Attributes& before, const SetAttributes& changes) {
  const uid_t uid = changes.uid.value_or(static_cast<uid_t>(-1));
  const gid_t gid = changes.gid.value_or(static_cast<gid_t>(-1));
  DAXLAB_TRY(as_result(::fchownat(fd, "", uid, gid, AT_EMPTY_PATH)));
  if (changes.mode || (before.mode & 06000u) == 0 || before.kind == NodeKind::kSymlink) return {};
  return as_result(::chmod(ProcPath(fd).c_str(), before.mode));
}

}  // namespace

Node* NodeTable::refer(InodeId ino, NodeKind kind, Fd& fd, uint64_t references) {
  Shard& shard = shard_of(ino);
  const MutexLock lock(shard.mutex);
  std::unique_ptr<Node>& node = shard.nodes[ino];
  if (!node) {
    node = std::make_unique<Node>();
    node->ino = ino;
    node->kind = kind;
    node->fd = std::move(fd);
    size_.fetch_add(1, std::memory_order_relaxed);
  }
  node->references += references;
  return node.get();
}

Node* NodeTable::find(InodeId ino) {
  Shard& shard = shard_of(ino);
  const MutexLock lock(shard.mutex);
  const auto found = shard.nodes.find(ino);
  if (found == shard.nodes.end()) return nullptr;
  ++found->second->references;
  return found->second.get();
}

void NodeTable::release(InodeId ino, uint64_t references) {
  std::unique_ptr<Node> last;  // closed after the lock: freeing a large file takes a while
  Shard& shard = shard_of(ino);
  const MutexLock lock(shard.mutex);
  const auto found = shard.nodes.find(ino);
  if (found == shard.nodes.end()) return;
  DAXLAB_CHECK(found->second->references >= references);
  found->second->references -= references;
  if (found->second->references > 0) return;
  last = std::move(found->second);
  shard.nodes.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

NodeKind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return NodeKind::kDirectory;
    case S_IFLNK:
      return NodeKind::kSymlink;
    case S_IFIFO:
      return NodeKind::kFifo;
    case S_IFSOCK:
      return NodeKind::kSocket;
    case S_IFCHR:
      return NodeKind::kCharDevice;
    case S_IFBLK:
      return NodeKind::kBlockDevice;
    default:
      return NodeKind::kFile;
  }
}

mode_t mode_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::kDirectory:
      return S_IFDIR;
    case NodeKind::kSymlink:
      return S_IFLNK;
    case NodeKind::kFifo:
      return S_IFIFO;
    case NodeKind::kSocket:
      return S_IFSOCK;
    case NodeKind::kCharDevice:
      return S_IFCHR;
    case NodeKind::kBlockDevice:
      return S_IFBLK;
    case NodeKind::kFile:
      break;
  }
  return S_IFREG;
}

Attributes attributes_of(const struct stat& status) {
  Attributes attributes;
  attributes.ino = status.st_ino;
  attributes.kind = kind_of(status.st_mode);
  attributes.mode = status.st_mode & 07777u;
  attributes.uid = status.st_uid;
  attributes.gid = status.st_gid;
  attributes.links = static_cast<uint32_t>(status.st_nlink);
  attributes.size_bytes = static_cast<uint64_t>(status.st_size);
  attributes.allocated_bytes = static_cast<uint64_t>(status.st_blocks) * 512;
  attributes.device = status.st_rdev;
  attributes.atime_ns = ns_of(status.st_atim);
  attributes.mtime_ns = ns_of(status.st_mtim);
  attributes.ctime_ns = ns_of(status.st_ctim);
  return attributes;
}

Result<Attributes> attributes_of(int fd) {
  struct stat status;
  if (::fstat(fd, &status) < 0) return last_error();
  return attributes_of(status);
}

Result<Attributes> change_attributes(int fd, const SetAttributes& changes) {
  DAXLAB_ASSIGN(const Attributes before, attributes_of(fd));
  if (changes.mode && before.kind == NodeKind::kSymlink)
    return Errc::kNotSupported;  // as lchmod() on Linux, before anything changes
  if (changes.size_bytes) DAXLAB_TRY(change_size(fd, before.kind, *changes.size_bytes));
  if (changes.uid || changes.gid) DAXLAB_TRY(change_owner(fd, before, changes));
  if (changes.mode) DAXLAB_TRY(as_result(::chmod(ProcPath(fd).c_str(), *changes.mode & 07777u)));
  if (changes.atime_ns || changes.mtime_ns) {
    const timespec times[2] = {timespec_of(changes.atime_ns), timespec_of(changes.mtime_ns)};
    DAXLAB_TRY(as_result(::utimensat(fd, "", times, AT_EMPTY_PATH)));
  }
  return attributes_of(fd);
}

}  // namespace daxlab::posix
