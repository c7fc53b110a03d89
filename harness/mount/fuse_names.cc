// Requests that name things: look-up, creation, removal, rename, listing.
#include <cerrno>
#include <cstring>

#include "harness/mount/fuse_requests.h"

namespace daxlab {

namespace {

/// What the kernel is told of a name; it then holds one reference.
fuse_entry_param hand_out(FuseContext& context, const Attributes& attributes) {
  fuse_entry_param entry{};
  entry.ino = context.to_fuse(attributes.ino);
  entry.attr = to_stat(context, attributes);
  entry.attr_timeout = kCacheSeconds;
  entry.entry_timeout = kCacheSeconds;
  context.remember(attributes.ino);
  return entry;
}

void reply_entry(fuse_req_t request, const Result<Attributes>& made) {
  if (!made.ok()) return reply_error(request, made.error());
  const fuse_entry_param entry = hand_out(context_of(request), *made);
  fuse_reply_entry(request, &entry);
}

/// Opens the directory `ino`; null after it has answered with the error.
std::unique_ptr<Directory> directory_of(fuse_req_t request, fuse_ino_t ino) {
  FuseContext& context = context_of(request);
  auto directory = context.engine().open_directory(context.to_engine(ino));
  if (directory.ok()) return std::move(directory).value();
  reply_error(request, directory.error());
  return nullptr;
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  const auto directory = directory_of(request, parent);
  if (!directory) return;
  const auto found = directory->lookup(name);
  if (!found.ok() && found.code() == Errc::kNotFound) {
    fuse_entry_param absent{};  // ino 0: the kernel remembers that the name is free
    absent.entry_timeout = kCacheSeconds;
    fuse_reply_entry(request, &absent);
    return;
  }
  reply_entry(request, found);
}

void forget(fuse_req_t request, fuse_ino_t ino, uint64_t references) {
  FuseContext& context = context_of(request);
  context.forget(context.to_engine(ino), references);
  fuse_reply_none(request);
}

void forget_multi(fuse_req_t request, size_t count, fuse_forget_data* forgets) {
  FuseContext& context = context_of(request);
  for (size_t i = 0; i < count; ++i) context.forget(context.to_engine(forgets[i].ino), forgets[i].nlookup);
  fuse_reply_none(request);
}

NodeKind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
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

void mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  const auto directory = directory_of(request, parent);
  if (directory) reply_entry(request, directory->mknod(name, kind_of(mode), mode & 07777, device, caller_of(request)));
}

void mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  const auto directory = directory_of(request, parent);
  if (directory) reply_entry(request, directory->mkdir(name, mode & 07777, caller_of(request)));
}

void symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  const auto directory = directory_of(request, parent);
  if (directory) reply_entry(request, directory->symlink(name, target, caller_of(request)));
}

void link(fuse_req_t request, fuse_ino_t ino, fuse_ino_t new_parent, const char* new_name) {
  const auto directory = directory_of(request, new_parent);
  if (directory) reply_entry(request, directory->link(new_name, context_of(request).to_engine(ino)));
}

void unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  const auto directory = directory_of(request, parent);
  if (directory) reply(request, directory->unlink(name));
}

void rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  const auto directory = directory_of(request, parent);
  if (directory) reply(request, directory->rmdir(name));
}

void rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned flags) {
  const auto from = directory_of(request, parent);
  if (!from) return;
  const auto to = directory_of(request, new_parent);
  if (to) reply(request, from->rename(name, *to, new_name, static_cast<RenameFlags>(flags)));
}

void readlink(fuse_req_t request, fuse_ino_t ino) {
  FuseContext& context = context_of(request);
  const auto target = context.engine().readlink(context.to_engine(ino));
  if (!target.ok()) return reply_error(request, target.error());
  fuse_reply_readlink(request, target->c_str());
}

void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* info) {
  FuseContext& context = context_of(request);
  const auto directory = directory_of(request, parent);
  if (!directory) return;
  auto created = directory->create(name, mode & 07777, caller_of(request));
  if (!created.ok()) return reply_error(request, created.error());
  const fuse_entry_param entry = hand_out(context, created->attributes);
  info->fh = reinterpret_cast<uint64_t>(created->file.release());
  info->keep_cache = 1;
  fuse_reply_create(request, &entry, info);
}

// --- listing: cookies 0 to 2 are the start, "." and ".."; an engine's cookie c is 2 + c

void opendir(fuse_req_t request, fuse_ino_t ino, fuse_file_info* info) {
  auto directory = directory_of(request, ino);
  if (!directory) return;
  info->fh = reinterpret_cast<uint64_t>(directory.release());
  fuse_reply_open(request, info);
}

void releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  delete reinterpret_cast<Directory*>(info->fh);
  fuse_reply_err(request, 0);
}

/// A reply buffer being filled with directory entries.
class Listing {
 public:
  Listing(fuse_req_t request, size_t limit) : request_(request), buffer_(limit) {}

  /// False when it does not fit.
  bool add(const char* name, fuse_ino_t ino, mode_t type, off_t next) {
    struct stat status {};
    status.st_ino = ino;
    status.st_mode = type;
    const size_t room = buffer_.size() - used_;
    const size_t size = fuse_add_direntry(request_, buffer_.data() + used_, room, name, &status, next);
    if (size > room) return false;
    used_ += size;
    return true;
  }
  void send() { fuse_reply_buf(request_, buffer_.data(), used_); }

 private:
  fuse_req_t request_;
  std::vector<char> buffer_;
  size_t used_ = 0;
};

mode_t type_of(NodeKind kind) {
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
    default:
      return S_IFREG;
  }
}

void readdir(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset, fuse_file_info* info) {
  FuseContext& context = context_of(request);
  auto* directory = reinterpret_cast<Directory*>(info->fh);
  Listing listing(request, size);
  if (offset == 0 && !listing.add(".", ino, S_IFDIR, 1)) return listing.send();
  if (offset <= 1) {
    const auto parent = context.engine().parent(context.to_engine(ino));
    if (!parent.ok()) return reply_error(request, parent.error());
    if (!listing.add("..", context.to_fuse(*parent), S_IFDIR, 2)) return listing.send();
  }
  const uint64_t cookie = offset <= 2 ? 0 : static_cast<uint64_t>(offset) - 2;
  std::string name;
  const auto listed = directory->readdir(cookie, [&](const DirectoryEntry& entry) {
    name = entry.name;
    return listing.add(name.c_str(), context.to_fuse(entry.ino), type_of(entry.kind), static_cast<off_t>(entry.cookie + 2));
  });
  if (!listed.ok()) return reply_error(request, listed.error());
  listing.send();
}

void fsyncdir(fuse_req_t request, fuse_ino_t, int, fuse_file_info* info) {
  reply(request, reinterpret_cast<Directory*>(info->fh)->fsync());
}

}  // namespace

void add_name_requests(fuse_lowlevel_ops& table) {
  table.lookup = lookup;
  table.forget = forget;
  table.forget_multi = forget_multi;
  table.mknod = mknod;
  table.mkdir = mkdir;
  table.symlink = symlink;
  table.link = link;
  table.unlink = unlink;
  table.rmdir = rmdir;
  table.rename = rename;
  table.readlink = readlink;
  table.create = create;
  table.opendir = opendir;
  table.readdir = readdir;
  table.releasedir = releasedir;
  table.fsyncdir = fsyncdir;
}

}  // namespace daxlab
