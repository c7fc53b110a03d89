// Requests on an inode or an open file: attributes, data, space.
#include <linux/falloc.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "engines/base/clock.h"
#include "harness/mount/fuse_requests.h"

namespace daxlab {

namespace {

File& file_of(const fuse_file_info* info) { return *reinterpret_cast<File*>(info->fh); }

void reply_attributes(fuse_req_t request, const Result<Attributes>& attributes) {
  if (!attributes.ok()) return reply_error(request, attributes.error());
  const struct stat status = to_stat(context_of(request), *attributes);
  fuse_reply_attr(request, &status, kCacheSeconds);
}

void getattr(fuse_req_t request, fuse_ino_t ino, fuse_file_info*) {
  FuseContext& context = context_of(request);
  reply_attributes(request, context.engine().getattr(context.to_engine(ino)));
}

uint64_t to_ns(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

SetAttributes changes_of(const struct stat& status, int what) {
  SetAttributes changes;
  if (what & FUSE_SET_ATTR_SIZE) changes.size_bytes = static_cast<uint64_t>(status.st_size);
  if (what & FUSE_SET_ATTR_MODE) changes.mode = status.st_mode & 07777;
  if (what & FUSE_SET_ATTR_UID) changes.uid = status.st_uid;
  if (what & FUSE_SET_ATTR_GID) changes.gid = status.st_gid;
  if (what & FUSE_SET_ATTR_ATIME) changes.atime_ns = to_ns(status.st_atim);
  if (what & FUSE_SET_ATTR_MTIME) changes.mtime_ns = to_ns(status.st_mtim);
  if (what & FUSE_SET_ATTR_ATIME_NOW) changes.atime_ns = realtime_ns();
  if (what & FUSE_SET_ATTR_MTIME_NOW) changes.mtime_ns = realtime_ns();
  return changes;
}

void setattr(fuse_req_t request, fuse_ino_t ino, struct stat* status, int what, fuse_file_info* info) {
  FuseContext& context = context_of(request);
  const SetAttributes changes = changes_of(*status, what);
  reply_attributes(request, info ? file_of(info).setattr(changes) : context.engine().setattr(context.to_engine(ino), changes));
}

void open(fuse_req_t request, fuse_ino_t ino, fuse_file_info* info) {
  FuseContext& context = context_of(request);
  OpenFlags flags;
  flags.read = (info->flags & O_ACCMODE) != O_WRONLY;
  flags.write = (info->flags & O_ACCMODE) != O_RDONLY;
  flags.truncate = (info->flags & O_TRUNC) != 0;
  auto file = context.engine().open(context.to_engine(ino), flags);
  if (!file.ok()) return reply_error(request, file.error());
  info->fh = reinterpret_cast<uint64_t>(std::move(file).value().release());
  info->keep_cache = 1;
  fuse_reply_open(request, info);
}

void release(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  delete &file_of(info);
  fuse_reply_err(request, 0);
}

void read(fuse_req_t request, fuse_ino_t, size_t size, off_t offset, fuse_file_info* info) {
  thread_local std::vector<std::byte> buffer;
  if (buffer.size() < size) buffer.resize(size);
  const auto got = file_of(info).read(static_cast<uint64_t>(offset), std::span(buffer).first(size));
  if (!got.ok()) return reply_error(request, got.error());
  fuse_reply_buf(request, reinterpret_cast<const char*>(buffer.data()), *got);
}

void write(fuse_req_t request, fuse_ino_t, const char* data, size_t size, off_t offset, fuse_file_info* info) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto written = file_of(info).write(static_cast<uint64_t>(offset), bytes);
  if (!written.ok()) return reply_error(request, written.error());
  fuse_reply_write(request, *written);
}

void fsync(fuse_req_t request, fuse_ino_t, int data_only, fuse_file_info* info) {
  reply(request, data_only ? file_of(info).fdatasync() : file_of(info).fsync());
}

void flush(fuse_req_t request, fuse_ino_t, fuse_file_info*) { fuse_reply_err(request, 0); }

std::optional<FallocateMode> to_mode(int mode) {
  switch (mode) {
    case 0:
      return FallocateMode::kAllocate;
    case FALLOC_FL_KEEP_SIZE:
      return FallocateMode::kKeepSize;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return FallocateMode::kPunchHole;
    case FALLOC_FL_ZERO_RANGE:
      return FallocateMode::kZeroRange;
    default:
      return std::nullopt;
  }
}

void fallocate(fuse_req_t request, fuse_ino_t, int mode, off_t offset, off_t length, fuse_file_info* info) {
  const auto known = to_mode(mode);
  if (!known) {
    fuse_reply_err(request, EOPNOTSUPP);
    return;
  }
  reply(request, file_of(info).fallocate(*known, static_cast<uint64_t>(offset), static_cast<uint64_t>(length)));
}

void lseek(fuse_req_t request, fuse_ino_t, off_t offset, int whence, fuse_file_info* info) {
  if (offset < 0 || (whence != SEEK_DATA && whence != SEEK_HOLE)) {
    fuse_reply_err(request, offset < 0 ? ENXIO : EINVAL);
    return;
  }
  const auto found = file_of(info).seek(static_cast<uint64_t>(offset), whence == SEEK_DATA ? SeekWhat::kData : SeekWhat::kHole);
  if (!found.ok()) return reply_error(request, found.error());
  fuse_reply_lseek(request, static_cast<off_t>(*found));
}

void statfs(fuse_req_t request, fuse_ino_t) {
  const auto stats = context_of(request).engine().statfs();
  if (!stats.ok()) return reply_error(request, stats.error());
  struct statvfs status {};
  status.f_bsize = status.f_frsize = 4096;
  status.f_blocks = stats->blocks_total;
  status.f_bfree = status.f_bavail = stats->blocks_free;
  status.f_files = stats->inodes_total;
  status.f_ffree = status.f_favail = stats->inodes_free;
  status.f_namemax = kNameBytesMax;
  fuse_reply_statfs(request, &status);
}

void setxattr(fuse_req_t request, fuse_ino_t, const char*, const char*, size_t, int) { fuse_reply_err(request, ENOTSUP); }
void getxattr(fuse_req_t request, fuse_ino_t, const char*, size_t) { fuse_reply_err(request, ENOTSUP); }
void listxattr(fuse_req_t request, fuse_ino_t, size_t) { fuse_reply_err(request, ENOTSUP); }
void removexattr(fuse_req_t request, fuse_ino_t, const char*) { fuse_reply_err(request, ENOTSUP); }

}  // namespace

void add_file_requests(fuse_lowlevel_ops& table) {
  table.getattr = getattr;
  table.setattr = setattr;
  table.open = open;
  table.release = release;
  table.read = read;
  table.write = write;
  table.fsync = fsync;
  table.flush = flush;
  table.fallocate = fallocate;
  table.lseek = lseek;
  table.statfs = statfs;
  table.setxattr = setxattr;
  table.getxattr = getxattr;
  table.listxattr = listxattr;
  table.removexattr = removexattr;
}

}  // namespace daxlab
