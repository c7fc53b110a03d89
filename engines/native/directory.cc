#include "engines/native/directory.h"

#include <algorithm>
#include <cstring>

#include "engines/api/names.h"
#include "engines/base/clock.h"
#include "engines/native/cleaner.h"
#include "engines/native/file.h"
#include "engines/native/recovery.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {
constexpr uint32_t kSetgid = 02000;

// Order within the line: everything, then the word with the checksum, 8 bytes; flush. A line keeps the order of its stores, so a slot whose
// checksum is right has the head word that belongs to it and not that of the inode before. (Streamed words would come in any order.)
void store_slot(InodeDisk* slot, const InodeDisk& disk) {
  constexpr size_t kCommitAt = sizeof disk - sizeof(uint64_t);
  uint64_t commit_word;
  std::memcpy(&commit_word, reinterpret_cast<const std::byte*>(&disk) + kCommitAt, sizeof commit_word);
  pmem::store_bytes(slot, &disk, kCommitAt);
  pmem::store_commit(reinterpret_cast<uint64_t*>(reinterpret_cast<std::byte*>(slot) + kCommitAt), commit_word);
  pmem::flush(slot, sizeof disk);
}

}  // namespace

void touch_directory(FileSystem& fs, Inode& directory, uint32_t log_page, uint64_t time_ns) {
  directory.mtime_ns = time_ns;
  directory.ctime_ns.store(time_ns, std::memory_order_relaxed);
  log_hold_state(fs.volume, directory.log, log_page, false);
}

Result<Attributes> NativeDirectory::lookup(std::string_view name) {
  DAXLAB_TRY(check_name(name));
  Inode& directory = handle_.inode();
  Inode* inode = nullptr;
  {
    const ReaderLock lock(directory.lock);
    const Dentry* const dentry = directory.names->find(name);
    if (dentry == nullptr) return Errc::kNotFound;
    inode = handle_.fs().table.get(dentry->ino);
    InodeTable::hold(*inode);
  }
  return attributes_of(*inode);
}

Result<Attributes> NativeDirectory::stat(std::string_view name) {
  DAXLAB_TRY(check_name(name));
  Inode& directory = handle_.inode();
  const ReaderLock lock(directory.lock);
  const Dentry* const dentry = directory.names->find(name);
  if (dentry == nullptr) return Errc::kNotFound;
  return attributes_of(*handle_.fs().table.get(dentry->ino));  // its name, and so the inode, stays while the lock is held
}

// Order: the target's records in the new inode's own log; fence. The slot that names that log follows with the directory's record.
Result<void> NativeDirectory::write_target(Inode& inode, std::string_view target) {
  constexpr size_t kPieceBytes = 2048;
  constexpr uint32_t kPieceLines = record_lines(sizeof(TargetRecordDisk) + kPieceBytes);
  constexpr size_t kPieces = div_up(kSymlinkBytesMax, kPieceBytes);
  std::array<std::array<Line, kPieceLines>, kPieces> lines{};
  std::array<Record, kPieces> records;
  size_t pieces = 0;
  for (std::string_view rest = target; !rest.empty(); rest.remove_prefix(std::min(rest.size(), kPieceBytes))) {
    const size_t bytes = std::min(rest.size(), kPieceBytes);
    TargetRecordDisk disk{};
    disk.header.type = static_cast<uint8_t>(RecordType::kTarget);
    disk.bytes = bytes;
    std::memcpy(lines[pieces].data(), &disk, sizeof disk);
    std::memcpy(lines[pieces][0].bytes.data() + sizeof disk, rest.data(), bytes);
    records[pieces] = {lines[pieces].data(), record_lines(sizeof disk + bytes), 0};
    ++pieces;
  }
  DAXLAB_TRY(log_append(handle_.fs().volume, inode, {records.data(), pieces}));
  pmem::fence();
  for (size_t i = 0; i < pieces; ++i) log_hold(handle_.fs().volume, records[i].page);
  return {};
}

// Order: the slot, self-checking, and the record that vouches for it, in any order; fence. A crash before it leaves at least one of them
// out, and recovery takes back the record; after it the name and its inode are there.
Result<Inode*> NativeDirectory::make_node(std::string_view name, const NewNode& node, const Caller& caller, uint32_t references) {
  DAXLAB_TRY(check_name(name));
  FileSystem& fs = handle_.fs();
  Inode& directory = handle_.inode();
  const uint32_t hash = NameIndex::hash(name);
  const WriterLock lock(directory.lock);
  if (directory.dead) return Errc::kNotFound;
  NameIndex& names = *directory.names;
  if (names.find(name, hash) != nullptr) return Errc::kExists;
  DAXLAB_ASSIGN(const FreeSlot slot, fs.table.allocate());

  const bool is_directory = node.kind == NodeKind::kDirectory;
  const bool setgid = (directory.mode & kSetgid) != 0;
  InodeDisk disk{};
  disk.magic = kInodeMagic;
  disk.ino = slot.ino;
  disk.generation = slot.generation;
  disk.time_ns = realtime_coarse_ns();
  disk.device = node.device;
  disk.uid = caller.uid;
  disk.gid = setgid ? directory.gid : caller.gid;
  disk.mode = static_cast<uint16_t>((node.mode & 07777 & ~caller.umask) | (setgid && is_directory ? kSetgid : 0));
  disk.kind = static_cast<uint8_t>(node.kind);
  disk.epoch = fs.volume.epoch;
  disk.crc = inode_crc(disk, fs.volume.seed);
  auto made = make_inode(fs.volume, disk, slot.disk);
  const auto give_up = [&](const Error& error) {
    if (made->log.head_block != 0) fs.volume.allocator.free({made->log.head_block, 1});
    if (made->log.tail_block != made->log.head_block) fs.volume.allocator.free({made->log.tail_block, 1});
    fs.table.release_slot(slot.ino);
    return error;
  };
  if (!node.target.empty()) {
    const auto written = write_target(*made, node.target);
    if (!written.ok()) return give_up(written.error());
    *made->target = node.target;
    disk.head = seal_pointer(made->log.head_block, made->seed, 0);
  }
  const uint64_t cookie = names.next_cookie();
  DentryRecord dentry_record = DentryRecord::add(name, cookie, made->id(), node.kind, 0, disk.time_ns);
  Record record = dentry_record.flag(kCreates).record();
  const auto appended = log_append(fs.volume, directory, {&record, 1});
  if (!appended.ok()) return give_up(appended.error());
  store_slot(slot.disk, disk);
  pmem::fence();

  Dentry* const dentry = names.insert(name, hash, cookie);
  dentry->ino = slot.ino;
  dentry->generation = slot.generation;
  dentry->kind = node.kind;
  dentry->time_ns = disk.time_ns;
  dentry->log_page = record.page;
  log_hold(fs.volume, record.page);
  touch_directory(fs, directory, record.page, disk.time_ns);
  made->links.store(is_directory ? 2 : 1, std::memory_order_relaxed);
  made->refs.store(1 + references, std::memory_order_relaxed);
  made->parent.store(directory.id(), std::memory_order_relaxed);
  if (is_directory) directory.links.fetch_add(1, std::memory_order_relaxed);
  Inode* const inode = made.get();
  DAXLAB_CHECK(fs.table.put(std::move(made)));
  clean_what_grew(fs, directory);
  return inode;
}

Result<CreatedFile> NativeDirectory::create(std::string_view name, uint32_t mode, const Caller& caller) {
  DAXLAB_ASSIGN(Inode* const inode, make_node(name, {NodeKind::kFile, mode, 0, {}}, caller, 2));
  CreatedFile created{attributes_of(*inode), nullptr};
  created.file = std::make_unique<NativeFile>(handle_.fs(), *inode, OpenFlags{});
  return created;
}

Result<Attributes> NativeDirectory::mkdir(std::string_view name, uint32_t mode, const Caller& caller) {
  DAXLAB_ASSIGN(Inode* const inode, make_node(name, {NodeKind::kDirectory, mode, 0, {}}, caller, 1));
  return attributes_of(*inode);
}

Result<Attributes> NativeDirectory::mknod(std::string_view name, NodeKind kind, uint32_t mode, uint64_t device, const Caller& caller) {
  if (kind == NodeKind::kDirectory || kind == NodeKind::kSymlink) return Errc::kInvalid;
  const bool has_device = kind == NodeKind::kCharDevice || kind == NodeKind::kBlockDevice;
  DAXLAB_ASSIGN(Inode* const inode, make_node(name, {kind, mode, has_device ? device : 0, {}}, caller, 1));
  return attributes_of(*inode);
}

Result<Attributes> NativeDirectory::symlink(std::string_view name, std::string_view target, const Caller& caller) {
  DAXLAB_TRY(check_symlink_target(target));
  constexpr uint32_t kSymlinkMode = 0777;
  Caller owner = caller;
  owner.umask = 0;
  DAXLAB_ASSIGN(Inode* const inode, make_node(name, {NodeKind::kSymlink, kSymlinkMode, 0, target}, owner, 1));
  return attributes_of(*inode);
}

// Order: the record; fence. The count of links is what the names say.
Result<void> NativeDirectory::add_link(std::string_view name, Inode& inode) {
  FileSystem& fs = handle_.fs();
  Inode& directory = handle_.inode();
  if (inode.kind == NodeKind::kDirectory) return Errc::kPermission;
  const uint32_t hash = NameIndex::hash(name);
  const WriterLock lock(directory.lock);
  if (directory.dead) return Errc::kNotFound;
  NameIndex& names = *directory.names;
  if (names.find(name, hash) != nullptr) return Errc::kExists;
  uint32_t links = inode.links.load(std::memory_order_relaxed);
  do {
    if (links == 0) return Errc::kNotFound;
  } while (!inode.links.compare_exchange_weak(links, links + 1, std::memory_order_acq_rel));
  const uint64_t now_ns = realtime_coarse_ns();
  const uint64_t cookie = names.next_cookie();
  DentryRecord dentry_record = DentryRecord::add(name, cookie, inode.id(), inode.kind, 0, now_ns);
  Record record = dentry_record.record();
  const auto appended = log_append(fs.volume, directory, {&record, 1});
  if (!appended.ok()) {
    fs.drop_link(inode);
    return appended.error();
  }
  pmem::fence();
  Dentry* const dentry = names.insert(name, hash, cookie);
  dentry->ino = inode.ino;
  dentry->generation = inode.generation;
  dentry->kind = inode.kind;
  dentry->time_ns = now_ns;
  dentry->log_page = record.page;
  log_hold(fs.volume, record.page);
  touch_directory(fs, directory, record.page, now_ns);
  inode.ctime_ns.store(now_ns, std::memory_order_relaxed);
  clean_what_grew(fs, directory);
  return {};
}

Result<Attributes> NativeDirectory::link(std::string_view name, InodeId target) {
  DAXLAB_TRY(check_name(name));
  FileSystem& fs = handle_.fs();
  Inode* const inode = fs.table.acquire(target);
  if (inode == nullptr) return Errc::kNotFound;
  const auto linked = add_link(name, *inode);
  if (!linked.ok()) {
    fs.release(*inode);
    return linked.error();
  }
  return attributes_of(*inode);  // with the reference that acquire() took
}

// Order: the record; fence. An inode that no name reaches is free at the next mount, so nothing else is stored; its blocks are given to
// others only after the fence.
Result<void> NativeDirectory::unlink(std::string_view name) {
  DAXLAB_TRY(check_name(name));
  FileSystem& fs = handle_.fs();
  Inode& directory = handle_.inode();
  Inode* inode = nullptr;
  {
    const WriterLock lock(directory.lock);
    Dentry* const dentry = directory.names->find(name);
    if (dentry == nullptr) return Errc::kNotFound;
    if (dentry->kind == NodeKind::kDirectory) return Errc::kIsDirectory;
    // What will be changed behind the fence comes while the record goes out.
    directory.names->prefetch_erase(*dentry);
    __builtin_prefetch(&fs.volume.log_pages[dentry->log_page], 1);
    inode = fs.table.get(dentry->ino);
    __builtin_prefetch(&inode->ctime_ns, 1);
    const uint64_t now_ns = realtime_coarse_ns();
    DentryRecord dentry_record = DentryRecord::remove(dentry->cookie, now_ns);
    Record record = dentry_record.record();
    DAXLAB_TRY(log_append(fs.volume, directory, {&record, 1}, Urgency::kReserve));
    pmem::fence();
    log_release(fs.volume, dentry->log_page);
    directory.names->erase(dentry);
    touch_directory(fs, directory, record.page, now_ns);
    inode->ctime_ns.store(now_ns, std::memory_order_relaxed);
    clean_what_grew(fs, directory);
  }
  fs.drop_link(*inode);
  return {};
}

// As unlink; the child's lock keeps it empty until it is marked dead.
Result<void> NativeDirectory::rmdir(std::string_view name) {
  DAXLAB_TRY(check_name(name));
  FileSystem& fs = handle_.fs();
  Inode& directory = handle_.inode();
  Inode* inode = nullptr;
  {
    const WriterLock lock(directory.lock);
    Dentry* const dentry = directory.names->find(name);
    if (dentry == nullptr) return Errc::kNotFound;
    if (dentry->kind != NodeKind::kDirectory) return Errc::kNotDirectory;
    inode = fs.table.get(dentry->ino);
    const WriterLock child_lock(inode->lock);
    if (inode->names->size() != 0) return Errc::kNotEmpty;
    const uint64_t now_ns = realtime_coarse_ns();
    DentryRecord dentry_record = DentryRecord::remove(dentry->cookie, now_ns);
    Record record = dentry_record.record();
    DAXLAB_TRY(log_append(fs.volume, directory, {&record, 1}, Urgency::kReserve));
    pmem::fence();
    log_release(fs.volume, dentry->log_page);
    directory.names->erase(dentry);
    touch_directory(fs, directory, record.page, now_ns);
    inode->dead = true;
    directory.links.fetch_sub(1, std::memory_order_relaxed);
    clean_what_grew(fs, directory);
  }
  fs.drop_link(*inode, 2);
  return {};
}

Result<void> NativeDirectory::rename(std::string_view from_name, Directory& to, std::string_view to_name, RenameFlags flags) {
  auto& destination = static_cast<NativeDirectory&>(to);  // of the same engine, says the interface
  return rename_name(handle_.fs(), handle_.inode(), from_name, destination.handle_.inode(), to_name, flags);
}

Result<void> NativeDirectory::readdir(uint64_t cookie, const Visitor& visit) {
  Inode& directory = handle_.inode();
  const ReaderLock lock(directory.lock);
  directory.names->for_each(cookie, [&](const Dentry& dentry) {
    return visit({dentry.name(), dentry.id(), dentry.kind, dentry.cookie});
  });
  return {};
}

}  // namespace daxlab::native
