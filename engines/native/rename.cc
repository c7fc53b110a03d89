// rename(2): within one directory one record; across directories one record in each log and a commit word.

#include <algorithm>
#include <optional>

#include "engines/api/names.h"
#include "engines/base/clock.h"
#include "engines/native/cleaner.h"
#include "engines/native/directory.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

/// Both directories locked: the moved name, what it replaces, and who loses a link.
struct Renaming {
  FileSystem& fs;
  Inode& from;
  Inode& to;
  std::string_view to_name;
  uint32_t to_hash = 0;
  Dentry* source = nullptr;
  Dentry* target = nullptr;   ///< What is replaced; null: nothing.
  Inode* moved = nullptr;
  Inode* victim = nullptr;
  bool nothing_to_do = false;

  bool moves_directory() const { return source->kind == NodeKind::kDirectory; }
};

Result<void> find_names(Renaming& renaming, std::string_view from_name, RenameFlags flags) {
  FileSystem& fs = renaming.fs;
  renaming.to_hash = NameIndex::hash(renaming.to_name);
  renaming.to.names->prefetch(renaming.to_hash);  // among many names both are misses, which then pass side by side
  renaming.source = renaming.from.names->find(from_name);
  if (renaming.source == nullptr || renaming.to.dead) return Errc::kNotFound;
  // What apply() will change comes while the record goes out.
  renaming.from.names->prefetch_erase(*renaming.source);
  __builtin_prefetch(&fs.volume.log_pages[renaming.source->log_page], 1);
  renaming.moved = fs.table.get(renaming.source->ino);
  __builtin_prefetch(&renaming.moved->ctime_ns, 1);
  renaming.target = renaming.to.names->find(renaming.to_name, renaming.to_hash);
  if (renaming.target == nullptr) return {};
  if (flags == RenameFlags::kNoReplace) return Errc::kExists;
  renaming.victim = fs.table.get(renaming.target->ino);
  renaming.nothing_to_do = renaming.victim == renaming.moved;  // two names of one file: rename(2) does nothing
  return {};
}

/// Whether `ancestor` is `inode` or above it. Under the rename lock, or for two inodes that nobody moves. Each inode on the way is held: the
/// parents of a directory that was removed may be going.
bool is_above(FileSystem& fs, const Inode& ancestor, Inode& inode) {
  Inode* at = &inode;
  InodeTable::hold(*at);
  for (;;) {
    const bool found = at == &ancestor;
    const InodeId parent = at->parent.load(std::memory_order_acquire);
    Inode* const next = found || parent == at->id() ? nullptr : fs.table.acquire(parent);
    fs.release(*at);
    if (next == nullptr) return found;
    at = next;
  }
}

/// DRAM after the records are durable.
void apply(Renaming& renaming, uint32_t from_page, uint32_t to_page, uint64_t now_ns) {
  FileSystem& fs = renaming.fs;
  Dentry* entry = renaming.target;
  const Dentry source = *renaming.source;
  if (entry != nullptr) {
    log_release(fs.volume, entry->log_page);
  } else {
    NameIndex& names = *renaming.to.names;
    entry = names.insert(renaming.to_name, renaming.to_hash, names.next_cookie());
  }
  entry->ino = source.ino;
  entry->generation = source.generation;
  entry->kind = source.kind;
  entry->time_ns = now_ns;
  entry->log_page = to_page;
  log_hold(fs.volume, to_page);
  log_release(fs.volume, source.log_page);
  renaming.from.names->erase(renaming.source);
  touch_directory(fs, renaming.from, from_page, now_ns);
  if (&renaming.from != &renaming.to) touch_directory(fs, renaming.to, to_page, now_ns);
  renaming.moved->ctime_ns.store(now_ns, std::memory_order_relaxed);
  if (source.kind == NodeKind::kDirectory && &renaming.from != &renaming.to) {
    renaming.moved->parent.store(renaming.to.id(), std::memory_order_release);
    renaming.from.links.fetch_sub(1, std::memory_order_relaxed);
    renaming.to.links.fetch_add(1, std::memory_order_relaxed);
  }
  if (renaming.victim != nullptr) {
    renaming.victim->ctime_ns.store(now_ns, std::memory_order_relaxed);
    if (renaming.victim->kind == NodeKind::kDirectory) {
      renaming.victim->dead = true;
      renaming.to.links.fetch_sub(1, std::memory_order_relaxed);
    }
  }
}

DentryRecord destination_record(const Renaming& renaming, uint64_t removes, uint64_t now_ns) {
  const uint64_t cookie = renaming.target != nullptr ? renaming.target->cookie : renaming.to.names->next_cookie();
  return DentryRecord::add(renaming.to_name, cookie, renaming.source->id(), renaming.source->kind, removes, now_ns);
}

// Order: one record that removes the old name and makes the new one (under the cookie of what it replaces, if anything); fence.
Result<void> commit_within(Renaming& renaming) {
  FileSystem& fs = renaming.fs;
  const uint64_t now_ns = realtime_coarse_ns();
  DentryRecord dentry_record = destination_record(renaming, renaming.source->cookie, now_ns);
  Record record = dentry_record.record();
  DAXLAB_TRY(log_append(fs.volume, renaming.to, {&record, 1}));
  pmem::fence();
  apply(renaming, record.page, record.page, now_ns);
  clean_what_grew(fs, renaming.to);
  return {};
}

// Order: a record in each log, both with the transaction's number; fence; the commit word, 8 bytes; fence. A crash before the word leaves two
// records that do not hold, and recovery erases them; after it both hold.
Result<void> commit_across(Renaming& renaming) {
  FileSystem& fs = renaming.fs;
  const uint64_t now_ns = realtime_coarse_ns();
  CommitSlots::Transaction transaction(fs.volume.commits, fs.volume.allocator.this_cpu() % kCommitSlots);
  DentryRecord removal = DentryRecord::remove(renaming.source->cookie, now_ns);
  DentryRecord arrival = destination_record(renaming, 0, now_ns);
  Record from_record = removal.in_transaction(transaction.number()).record();
  Record to_record = arrival.in_transaction(transaction.number()).record();
  // A record that was appended cannot be taken back, so both logs must have room before either is touched.
  if (!log_reserve(fs.volume, renaming.from, from_record.count, Urgency::kNormal) ||
      !log_reserve(fs.volume, renaming.to, to_record.count, Urgency::kNormal)) {
    return Errc::kNoSpace;
  }
  DAXLAB_CHECK(log_append(fs.volume, renaming.from, {&from_record, 1}).ok());
  DAXLAB_CHECK(log_append(fs.volume, renaming.to, {&to_record, 1}).ok());
  transaction.commit();
  apply(renaming, from_record.page, to_record.page, now_ns);
  clean_what_grew(fs, renaming.from);
  clean_what_grew(fs, renaming.to);
  return {};
}

/// With both directories locked and the names found: what may replace what, in the order in which Linux looks. A directory that is
/// replaced is locked too, so that it stays empty.
template <typename Commit>
Result<void> check_and_commit(Renaming& renaming, Commit commit) {
  Inode* const victim = renaming.victim;
  if (victim == nullptr) return commit(renaming);
  const bool replaces_directory = victim->kind == NodeKind::kDirectory;
  if (replaces_directory && is_above(renaming.fs, *victim, renaming.from)) return Errc::kNotEmpty;
  if (renaming.moves_directory() && !replaces_directory) return Errc::kNotDirectory;
  if (!renaming.moves_directory() && replaces_directory) return Errc::kIsDirectory;
  if (!replaces_directory) return commit(renaming);
  const WriterLock lock(victim->lock);
  if (victim->names->size() != 0) return Errc::kNotEmpty;
  return commit(renaming);
}

Result<void> rename_within(Renaming& renaming, std::string_view from_name, RenameFlags flags) {
  const WriterLock lock(renaming.from.lock);
  DAXLAB_TRY(find_names(renaming, from_name, flags));
  if (renaming.nothing_to_do) return {};
  return check_and_commit(renaming, commit_within);
}

Result<void> rename_across(Renaming& renaming, std::string_view from_name, RenameFlags flags) {
  FileSystem& fs = renaming.fs;
  const MutexLock rename_lock(fs.rename_lock);
  // A directory before what is below it, else by number: the same order for everybody, as no directory moves meanwhile.
  const bool to_first = is_above(fs, renaming.to, renaming.from) ||
                        (!is_above(fs, renaming.from, renaming.to) && renaming.to.ino < renaming.from.ino);
  const WriterLock first(to_first ? renaming.to.lock : renaming.from.lock);
  const WriterLock second(to_first ? renaming.from.lock : renaming.to.lock);
  DAXLAB_TRY(find_names(renaming, from_name, flags));
  if (renaming.nothing_to_do) return {};
  if (renaming.moves_directory() && is_above(fs, *renaming.moved, renaming.to)) return Errc::kInvalid;
  return check_and_commit(renaming, commit_across);
}

}  // namespace

Result<void> rename_name(FileSystem& fs, Inode& from, std::string_view from_name, Inode& to, std::string_view to_name,
                         RenameFlags flags) {
  DAXLAB_TRY(check_name(from_name));
  DAXLAB_TRY(check_name(to_name));
  if (flags != RenameFlags::kNone && flags != RenameFlags::kNoReplace) return Errc::kInvalid;
  Renaming renaming{.fs = fs, .from = from, .to = to, .to_name = to_name};
  DAXLAB_TRY(&from == &to ? rename_within(renaming, from_name, flags) : rename_across(renaming, from_name, flags));
  const bool replaced = renaming.victim != nullptr && !renaming.nothing_to_do;
  if (replaced) fs.drop_link(*renaming.victim, renaming.victim->kind == NodeKind::kDirectory ? 2 : 1);
  return {};
}

}  // namespace daxlab::native
