#include "harness/mount/fuse_server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "harness/mount/fuse_requests.h"

namespace daxlab {

void FuseContext::remember(InodeId ino) {
  const MutexLock lock(mutex_);
  ++references_[ino];
}

void FuseContext::forget(InodeId ino, uint64_t references) {
  {
    const MutexLock lock(mutex_);
    const auto found = references_.find(ino);
    if (found == references_.end()) return;  // the root: the kernel forgets it without having looked it up
    references = std::min(references, found->second);
    found->second -= references;
    if (found->second == 0) references_.erase(found);
  }
  engine_.forget(ino, references);
}

void FuseContext::forget_all() {
  const MutexLock lock(mutex_);
  for (const auto& [ino, references] : references_) engine_.forget(ino, references);
  references_.clear();
}

FuseContext& context_of(fuse_req_t request) { return *static_cast<FuseContext*>(fuse_req_userdata(request)); }

Caller caller_of(fuse_req_t request) {
  const fuse_ctx* context = fuse_req_ctx(request);
  return Caller{context->uid, context->gid, 0};  // the kernel has applied the umask
}

namespace {

constexpr std::array<mode_t, 8> kFormat = {0, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};

timespec to_timespec(uint64_t ns) { return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)}; }

struct SessionDeleter {
  void operator()(fuse_session* session) const { fuse_session_destroy(session); }
};

void init(void*, fuse_conn_info* connection) {
  connection->max_write = 1 << 20;
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);  // a write must have reached the engine when it returns
}

Result<void> check_mount_point(const std::string& directory) {
  struct stat status {};
  if (stat(directory.c_str(), &status) != 0) return Error(Errc::kNotFound, fmt::format("no mount point {}", directory));
  if (!S_ISDIR(status.st_mode)) return Error(Errc::kNotDirectory, fmt::format("{} is not a directory", directory));
  if (access("/dev/fuse", R_OK | W_OK) != 0) {
    return Error(Errc::kMissingFacility, "cannot open /dev/fuse: load the fuse module, or run where /dev/fuse is given");
  }
  return {};
}

}  // namespace

struct stat to_stat(const FuseContext& context, const Attributes& attributes) {
  struct stat status {};
  status.st_ino = context.to_fuse(attributes.ino);
  status.st_mode = kFormat[static_cast<size_t>(attributes.kind)] | attributes.mode;
  status.st_nlink = attributes.links;
  status.st_uid = attributes.uid;
  status.st_gid = attributes.gid;
  status.st_rdev = attributes.device;
  status.st_size = static_cast<off_t>(attributes.size_bytes);
  status.st_blocks = static_cast<blkcnt_t>(attributes.allocated_bytes / 512);
  status.st_blksize = 4096;
  status.st_atim = to_timespec(attributes.atime_ns);
  status.st_mtim = to_timespec(attributes.mtime_ns);
  status.st_ctim = to_timespec(attributes.ctime_ns);
  return status;
}

void reply_error(fuse_req_t request, const Error& error) { fuse_reply_err(request, to_errno(error.code())); }

void reply(fuse_req_t request, const Result<void>& result) { fuse_reply_err(request, result.ok() ? 0 : to_errno(result.code())); }

Result<void> serve_fuse(Engine& engine, const std::string& directory, const FuseOptions& options) {
  DAXLAB_TRY(check_mount_point(directory));
  fuse_lowlevel_ops table{};
  table.init = init;
  add_name_requests(table);
  add_file_requests(table);

  FuseContext context(engine);
  const std::string mount_options = "default_permissions,subtype=daxlab,fsname=" + options.source;
  std::vector<const char*> words = {"daxlab", "-o", mount_options.c_str()};
  if (geteuid() == 0) words.insert(words.end(), {"-o", "allow_other"});
  if (options.debug) words.push_back("-d");
  fuse_args arguments = FUSE_ARGS_INIT(static_cast<int>(words.size()), const_cast<char**>(words.data()));
  const std::unique_ptr<fuse_session, SessionDeleter> session(fuse_session_new(&arguments, &table, sizeof table, &context));
  fuse_opt_free_args(&arguments);
  if (!session) return Error(Errc::kMissingFacility, "libfuse refused to start a session");
  if (fuse_set_signal_handlers(session.get()) != 0) return Error(Errc::kIo, "cannot set signal handlers");
  if (fuse_session_mount(session.get(), directory.c_str()) != 0) {
    fuse_remove_signal_handlers(session.get());
    return Error(Errc::kMissingFacility,
                 fmt::format("cannot mount at {} (is fusermount3 installed, is the directory free?)", directory));
  }
  int ended;
  if (options.single_threaded) {
    ended = fuse_session_loop(session.get());
  } else {
    fuse_loop_config* config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_clone_fd(config, 1);
    ended = fuse_session_loop_mt(session.get(), config);
    fuse_loop_cfg_destroy(config);
  }
  fuse_session_unmount(session.get());
  fuse_remove_signal_handlers(session.get());
  if (ended < 0) return Error(Errc::kIo, fmt::format("the FUSE connection failed (errno {})", -ended));
  return {};
}

}  // namespace daxlab
