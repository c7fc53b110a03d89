#include "engines/posix/engine.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/vfs.h>

#include "engines/api/registry.h"
#include "engines/base/units.h"
#include "engines/posix/directory.h"
#include "engines/posix/file.h"
#include "engines/posix/tree.h"

namespace daxlab::posix {
namespace {

/// Every referenced inode holds a descriptor: ask for as many as this process may have.
void raise_descriptor_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

int kernel_flags(OpenFlags flags) {
  const int access = flags.read && flags.write ? O_RDWR : flags.write ? O_WRONLY : O_RDONLY;
  return access | (flags.truncate ? O_TRUNC : 0) | O_CLOEXEC;
}

}  // namespace

Result<std::unique_ptr<PosixEngine>> PosixEngine::mount(std::string path, bool temporary) {
  raise_descriptor_limit();
  std::unique_ptr<PosixEngine> engine(new PosixEngine(std::move(path), temporary));
  Fd fd(::open(engine->path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status;
  if (!fd.valid() || ::fstat(fd.get(), &status) < 0)
    return Error(last_error(), fmt::format("posix: {}: {}", engine->path_, std::strerror(errno)));
  engine->device_ = status.st_dev;
  engine->root_ = engine->nodes_.refer(status.st_ino, NodeKind::kDirectory, fd);
  return engine;
}

PosixEngine::~PosixEngine() {
  if (temporary_) (void)remove_tree(path_);  // a destructor can tell nobody; unmount() can
}

Result<Attributes> PosixEngine::refer(Fd fd) {
  struct stat status;
  if (::fstat(fd.get(), &status) < 0) return last_error();
  if (status.st_dev != device_) return Errc::kCrossDevice;
  const Attributes attributes = attributes_of(status);
  nodes_.refer(attributes.ino, attributes.kind, fd);
  return attributes;
}

Result<std::unique_ptr<File>> PosixEngine::open(InodeId ino, OpenFlags flags) {
  Node* const node = nodes_.find(ino);
  if (node == nullptr) return Errc::kStale;
  Errc error = Errc::kNotSupported;  // fifos, sockets and devices are opened by a kernel, not through here
  if (node->kind == NodeKind::kDirectory) error = Errc::kIsDirectory;
  if (node->kind == NodeKind::kSymlink) error = Errc::kLoop;
  if (node->kind == NodeKind::kFile) {
    Fd fd(::open(ProcPath(node->fd.get()).c_str(), kernel_flags(flags)));
    if (fd.valid()) return std::unique_ptr<File>(new PosixFile(*this, node, std::move(fd), flags.write));
    error = last_error();
  }
  nodes_.release(ino, 1);
  return error;
}

Result<std::unique_ptr<Directory>> PosixEngine::open_directory(InodeId ino) {
  Node* const node = nodes_.find(ino);
  if (node == nullptr) return Errc::kStale;
  if (node->kind == NodeKind::kDirectory) return std::unique_ptr<Directory>(new PosixDirectory(*this, node));
  nodes_.release(ino, 1);
  return Errc::kNotDirectory;
}

Result<Attributes> PosixEngine::getattr(InodeId ino) {
  Node* const node = nodes_.find(ino);
  if (node == nullptr) return Errc::kStale;
  const Result<Attributes> attributes = attributes_of(node->fd.get());
  nodes_.release(ino, 1);
  return attributes;
}

Result<Attributes> PosixEngine::setattr(InodeId ino, const SetAttributes& changes) {
  Node* const node = nodes_.find(ino);
  if (node == nullptr) return Errc::kStale;
  const Result<Attributes> attributes = change_attributes(node->fd.get(), changes);
  nodes_.release(ino, 1);
  return attributes;
}

Result<std::string> PosixEngine::readlink(InodeId ino) {
  Node* const node = nodes_.find(ino);
  if (node == nullptr) return Errc::kStale;
  Result<std::string> target = Errc::kInvalid;  // no symlink
  if (node->kind == NodeKind::kSymlink) {
    std::string bytes(kSymlinkBytesMax + 1, '\0');
    const ssize_t got = ::readlinkat(node->fd.get(), "", bytes.data(), bytes.size());
    if (got < 0) {
      target = last_error();
    } else {
      bytes.resize(static_cast<size_t>(got));
      target = std::move(bytes);
    }
  }
  nodes_.release(ino, 1);
  return target;
}

Result<InodeId> PosixEngine::parent(InodeId directory) {
  if (directory == root()) return root();
  DAXLAB_ASSIGN(const std::unique_ptr<Directory> opened, open_directory(directory));
  Node* const node = nodes_.find(directory);
  Fd fd(::openat(node->fd.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Errc error = fd.valid() ? Errc::kIo : last_error();
  nodes_.release(directory, 1);
  if (!fd.valid()) return error;
  DAXLAB_ASSIGN(const Attributes attributes, refer(std::move(fd)));
  InodeId oldest = 0;
  {
    const MutexLock lock(parents_mutex_);
    oldest = std::exchange(parents_[parents_next_++ % parents_.size()], attributes.ino);
  }
  if (oldest != 0) nodes_.release(oldest, 1);
  return attributes.ino;
}

void PosixEngine::forget(InodeId ino, uint64_t references) {
  if (ino != root()) nodes_.release(ino, references);
}

Result<FsStats> PosixEngine::statfs() {
  struct statfs status;
  if (::fstatfs(root_->fd.get(), &status) < 0) return last_error();
  const uint64_t unit_bytes = static_cast<uint64_t>(status.f_bsize);
  return FsStats{status.f_blocks * unit_bytes / kBlockBytes, status.f_bfree * unit_bytes / kBlockBytes, status.f_files,
                 status.f_ffree};
}

Result<void> PosixEngine::sync() {
  const Fd fd(::openat(root_->fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return last_error();
  return as_result(::syncfs(fd.get()));
}

uint64_t PosixEngine::dram_bytes() const {
  constexpr uint64_t kMapNodeBytes = 48;  // hash node with key, pointer and allocator header
  return sizeof(*this) + nodes_.size() * (sizeof(Node) + kMapNodeBytes);
}

Result<void> PosixEngine::unmount() {
  if (handles_.load(std::memory_order_relaxed) != 0) return Errc::kBusy;
  return temporary_ ? remove_tree(path_) : sync();
}

namespace {

class PosixType final : public EngineType {
 public:
  std::string name() const override { return "posix"; }
  std::string description() const override { return "a directory of the kernel's file system, through system calls"; }
  std::vector<OptionSpec> options() const override {
    OptionSpec path;
    path.name = "path";
    path.kind = OptionSpec::Kind::kPath;
    path.help = "a directory on the file system to measure; without it, a fresh one on tmpfs";
    return {path};
  }
  Traits traits(const Options& options) const override {
    Traits traits;
    traits.durable_on_return = false;
    traits.checkable = false;
    traits.needs_region = false;
    traits.enters_kernel = true;
    traits.unmountable = !options.get("path").empty();
    return traits;
  }
  Result<void> format(pmem::Region*, const Options& options) const override {
    const std::string& directory = options.get("path");
    if (directory.empty()) return {};  // mount() makes one
    DAXLAB_TRY(remove_tree(directory + "/" + kTreeName));
    DAXLAB_TRY(make_tree_in(directory));
    return {};
  }
  Result<std::unique_ptr<Engine>> mount(pmem::Region*, const Options& options) const override {
    const std::string& directory = options.get("path");
    DAXLAB_ASSIGN(std::string path, directory.empty() ? make_temporary_tree() : make_tree_in(directory));
    DAXLAB_ASSIGN(std::unique_ptr<PosixEngine> engine, PosixEngine::mount(std::move(path), directory.empty()));
    return std::unique_ptr<Engine>(std::move(engine));
  }
};

const RegisterEngine<PosixType> kRegistered;

}  // namespace
}  // namespace daxlab::posix
