#include "engines/native/replay.h"

#include <algorithm>

#include <fmt/core.h>

#include "engines/api/names.h"

namespace daxlab::native {

namespace {
constexpr int kCookieKindShift = 56;
constexpr uint64_t kCookieMask = (uint64_t{1} << kCookieKindShift) - 1;
}  // namespace

Error Replay::damage(const char* what, const LogRecord& record) const {
  return Error(Errc::kCorrupt, fmt::format("inode {}: a record in block {} {}", inode_.ino, record.page, what));
}

Result<void> Replay::apply(const LogRecord& record) {
  if ((record.header().flags & kRetire) != 0) redo_.clear();
  const bool file = inode_.kind == NodeKind::kFile;
  switch (record.type()) {
    case RecordType::kSkip: return {};
    case RecordType::kWrite: return file ? apply_write(record) : damage("is for files", record);
    case RecordType::kSmall: return file ? apply_small(record) : damage("is for files", record);
    case RecordType::kAttributes: return apply_attributes(record);
    case RecordType::kPunch: return file ? apply_punch(record) : damage("is for files", record);
    case RecordType::kTouch: return apply_touch(record);
    case RecordType::kDentry: return inode_.kind == NodeKind::kDirectory ? apply_dentry(record) : damage("is for directories", record);
    case RecordType::kTarget: return inode_.kind == NodeKind::kSymlink ? apply_target(record) : damage("is for symlinks", record);
  }
  return damage("has an unknown type", record);
}

void Replay::unmap(uint64_t first_page, uint64_t end_page) {
  for (uint64_t page = inode_.data.next_mapped(first_page, end_page); page < end_page;
       page = inode_.data.next_mapped(page + 1, end_page)) {
    log_release(volume_, inode_.data.get(page).log_page);
    inode_.data.set(page, {});
    inode_.data_blocks.fetch_sub(1, std::memory_order_relaxed);
  }
}

/// A later record decides about the bytes [begin, end): earlier small writes of them are not applied.
void Replay::forget_redo(uint64_t begin, uint64_t end) {
  for (Redo& redo : redo_) {
    const uint64_t redo_end = redo.offset + redo.bytes.size();
    if (redo.offset >= end || redo_end <= begin) continue;
    redo.bytes.resize(redo.offset >= begin ? 0 : begin - redo.offset);
  }
}

void Replay::set_times(const LogRecord& record, uint64_t mtime_ns, uint64_t ctime_ns) {
  inode_.mtime_ns = mtime_ns;
  inode_.ctime_ns.store(ctime_ns, std::memory_order_relaxed);
  log_hold_state(volume_, inode_.log, record.page, false);
}

Result<void> Replay::apply_write(const LogRecord& record) {
  const auto disk = record.as<WriteRecordDisk>();
  if (disk.pages != 0) {
    const bool possible = disk.first_page < kFilePagesMax && disk.pages <= kFilePagesMax - disk.first_page &&
                          volume_.plausible(disk.block) && volume_.superblock.block_count - 1 - disk.block >= disk.pages;
    if (!possible) return damage("maps impossible blocks", record);
    inode_.data.prepare(disk.first_page, disk.pages);
    unmap(disk.first_page, disk.first_page + disk.pages);
    for (uint32_t i = 0; i < disk.pages; ++i) inode_.data.set(disk.first_page + i, {disk.block + i, record.page});
    log_hold(volume_, record.page, disk.pages);
    inode_.data_blocks.fetch_add(disk.pages, std::memory_order_relaxed);
    forget_redo(disk.first_page * kBlockBytes, (disk.first_page + disk.pages) * kBlockBytes);
  }
  if (disk.size_bytes > kFilePagesMax * kBlockBytes) return damage("has an impossible size", record);
  // Of a moved record, too: the record that gave the size may be dropped before a truncation that has to find pages beyond its end.
  inode_.size_bytes.store(disk.size_bytes, std::memory_order_relaxed);
  if ((record.header().flags & kMoved) != 0) return {};
  set_times(record, disk.time_ns, disk.time_ns);
  return {};
}

Result<void> Replay::apply_small(const LogRecord& record) {
  const auto disk = record.as<SmallRecordDisk>();
  const uint64_t limit = kFilePagesMax * kBlockBytes;
  const bool possible = disk.data_bytes != 0 && disk.data_bytes <= record.room(sizeof disk) && disk.offset < limit &&
                        disk.offset % kBlockBytes + disk.data_bytes <= kBlockBytes && disk.size_bytes <= limit;
  if (!possible) return damage("has an impossible small write", record);
  Redo redo{disk.offset, disk.block, {}};
  const std::byte* const bytes = record.bytes.data() + sizeof disk;
  redo.bytes.assign(bytes, bytes + disk.data_bytes);
  redo_.push_back(std::move(redo));
  inode_.size_bytes.store(disk.size_bytes, std::memory_order_relaxed);
  set_times(record, disk.time_ns, disk.time_ns);
  return {};
}

Result<void> Replay::apply_attributes(const LogRecord& record) {
  const auto disk = record.as<AttributesRecordDisk>();
  if (disk.mode > 07777 || disk.size_bytes > kFilePagesMax * kBlockBytes) return damage("has impossible attributes", record);
  if (inode_.kind == NodeKind::kFile && disk.size_bytes < inode_.size_bytes.load(std::memory_order_relaxed)) {
    unmap(div_up(disk.size_bytes, kBlockBytes), kFilePagesMax);
    forget_redo(disk.size_bytes, UINT64_MAX);
  }
  inode_.size_bytes.store(disk.size_bytes, std::memory_order_relaxed);
  inode_.mode = disk.mode;
  inode_.uid = disk.uid;
  inode_.gid = disk.gid;
  inode_.atime_ns = disk.atime_ns;
  set_times(record, disk.mtime_ns, disk.ctime_ns);
  log_hold_state(volume_, inode_.log, record.page, true);
  return {};
}

Result<void> Replay::apply_punch(const LogRecord& record) {
  const auto disk = record.as<PunchRecordDisk>();
  if (disk.first_page > kFilePagesMax || disk.pages > kFilePagesMax - disk.first_page) return damage("punches an impossible hole", record);
  if (disk.size_bytes > kFilePagesMax * kBlockBytes) return damage("has an impossible size", record);
  unmap(disk.first_page, disk.first_page + disk.pages);
  forget_redo(disk.first_page * kBlockBytes, (disk.first_page + disk.pages) * kBlockBytes);
  inode_.size_bytes.store(disk.size_bytes, std::memory_order_relaxed);
  set_times(record, disk.time_ns, disk.time_ns);
  return {};
}

Result<void> Replay::apply_touch(const LogRecord& record) {
  const auto disk = record.as<TouchRecordDisk>();
  if (disk.size_bytes > kFilePagesMax * kBlockBytes) return damage("has an impossible size", record);
  inode_.size_bytes.store(disk.size_bytes, std::memory_order_relaxed);
  set_times(record, disk.time_ns, disk.time_ns);
  return {};
}

Result<void> Replay::apply_dentry(const LogRecord& record) {
  const auto disk = record.as<DentryRecordDisk>();
  const RecordHeaderDisk header = record.header();
  NameIndex& names = *inode_.names;
  if (disk.removes != 0) {
    // A removal may outlive what it removed: the page with the name was dropped, the page with the removal not yet.
    if (Dentry* const gone = names.find_cookie(disk.removes & kCookieMask)) {
      log_release(volume_, gone->log_page);
      names.erase(gone);
    }
    names.raise_next_cookie(disk.removes & kCookieMask);
  }
  if (header.aux != 0) {
    const size_t fixed = sizeof disk + ((header.flags & kTransaction) != 0 ? sizeof(TransactionDisk) : 0);
    if (record.room(fixed) < header.aux) return damage("has a name that does not fit", record);
    const std::string_view name(reinterpret_cast<const char*>(record.bytes.data() + fixed), header.aux);
    const uint64_t kind = disk.cookie >> kCookieKindShift;
    const uint64_t cookie = disk.cookie & kCookieMask;
    const bool kind_known = kind >= static_cast<uint64_t>(NodeKind::kFile) && kind <= static_cast<uint64_t>(NodeKind::kBlockDevice);
    if (!check_name(name).ok() || !kind_known || cookie == 0 || disk.ino == 0) return damage("has an impossible name", record);
    const uint32_t hash = NameIndex::hash(name);
    Dentry* dentry = names.find(name, hash);
    Dentry* const same_cookie = names.find_cookie(cookie);
    if (dentry != nullptr && dentry->cookie != cookie) {
      // Replaced by a name with another cookie only in a damaged log: a replaced name keeps its cookie.
      return damage("replaces a name under another cookie", record);
    }
    if (dentry == nullptr) {
      if (same_cookie != nullptr) return damage("has a cookie that is taken", record);
      dentry = names.insert(name, hash, cookie);
    } else {
      log_release(volume_, dentry->log_page);
    }
    dentry->ino = disk.ino;
    dentry->generation = disk.generation;
    dentry->kind = static_cast<NodeKind>(kind);
    dentry->time_ns = disk.time_ns;
    dentry->log_page = record.page;
    log_hold(volume_, record.page);
  }
  if ((header.flags & kMoved) == 0) set_times(record, disk.time_ns, disk.time_ns);
  return {};
}

Result<void> Replay::apply_target(const LogRecord& record) {
  const auto disk = record.as<TargetRecordDisk>();
  std::string& target = *inode_.target;
  if (disk.bytes > record.room(sizeof disk) || target.size() + disk.bytes > kSymlinkBytesMax) return damage("has an impossible target", record);
  target.append(reinterpret_cast<const char*>(record.bytes.data() + sizeof disk), disk.bytes);
  log_hold(volume_, record.page);
  return {};
}

}  // namespace daxlab::native
