// rename(2): both directories, what moves and what is replaced in one transaction. (XFS: xfs_rename().)
#include <algorithm>
#include <array>
#include <optional>

#include "engines/api/names.h"
#include "engines/base/clock.h"
#include "engines/xfslike/inode_allocation.h"
#include "engines/xfslike/names.h"
#include "engines/xfslike/names_home.h"
#include "engines/xfslike/operation.h"

namespace daxlab::xfslike {

namespace {

/// The directories are locked: the moved name, what it replaces, and who loses a link.
struct Renaming {
  FileSystem& fs;
  Inode& from;
  std::string_view from_name;
  Inode& to;
  std::string_view to_name;
  std::optional<Held> moved;
  std::optional<Held> victim;
  bool nothing_to_do = false;
  uint32_t objects = 0;  ///< Blocks that the new name may take.

  bool across() const { return &from != &to; }
  bool moves_directory() const { return (*moved)->kind() == NodeKind::kDirectory; }
};

Result<void> find_names(Renaming& renaming, RenameFlags flags) {
  DAXLAB_ASSIGN(const DirFound source, find_name(renaming.from, renaming.from_name));
  {
    const SharedIlock lock(renaming.to);
    if (renaming.to.core.links == 0) return Errc::kNotFound;
  }
  const auto target = find_name(renaming.to, renaming.to_name);
  if (!target.ok() && target.code() != Errc::kNotFound) return target.error();
  if (target.ok() && flags == RenameFlags::kNoReplace) return Errc::kExists;
  renaming.moved.emplace(renaming.fs, source.ino);
  if (!renaming.moved->ok()) return renaming.moved->error();
  if (!target.ok()) {
    const SharedIlock lock(renaming.to);
    DAXLAB_ASSIGN(renaming.objects, NamesHome(renaming.to, nullptr)->insert_blocks(renaming.to_name.size()));
    return {};
  }
  renaming.nothing_to_do = source.ino == target->ino;  // two names of one file: rename(2) does nothing
  renaming.victim.emplace(renaming.fs, target->ino);
  if (!renaming.victim->ok()) return renaming.victim->error();
  return {};
}

/// Whether `ancestor` is `inode` or above it. Under the rename lock, or for two inodes that nobody moves. Each inode on the way is held:
/// the parents of a directory that was removed may be going.
Result<bool> is_above(FileSystem& fs, const Inode& ancestor, Inode& inode) {
  Inode* at = &inode;
  fs.volume->inodes.reference(*at);
  for (;;) {
    if (at == &ancestor) {
      fs.release(*at);
      return true;
    }
    const auto parent = parent_of(*at);
    const uint64_t ino = at->ino();
    fs.release(*at);
    if (!parent.ok()) return parent.error();
    if (*parent == ino) return false;
    const auto next = fs.get(*parent);
    if (!next.ok()) {
      if (next.code() == Errc::kStale) return false;  // of a removed directory
      return next.error();
    }
    at = *next;
    if (at->kind() != NodeKind::kDirectory) {
      fs.release(*at);
      return Error(Errc::kCorrupt, "a directory's parent is no directory");
    }
  }
}

/// Exclusive ilocks of up to four inodes, each once, in ascending order (XFS: xfs_lock_inodes()).
class Ilocks {
 public:
  explicit Ilocks(std::array<Inode*, 4> inodes) {
    std::sort(inodes.begin(), inodes.end(), [](const Inode* a, const Inode* b) { return ino(a) < ino(b); });
    const auto end = std::unique(inodes.begin(), inodes.end());
    size_t count = 0;
    for (auto at = inodes.begin(); at != end; ++at) {
      if (*at != nullptr) locks_[count++].emplace(**at);
    }
  }

 private:
  static uint64_t ino(const Inode* inode) { return inode == nullptr ? 0 : inode->ino(); }
  std::array<std::optional<ExclusiveIlock>, 4> locks_;
};

void drop_victim(Transaction& transaction, Renaming& renaming, uint64_t now_ns) {
  Inode& victim = **renaming.victim;
  if (victim.kind() == NodeKind::kDirectory) {
    victim.core.links = 0;
    --renaming.to.core.links;
  } else {
    --victim.core.links;
  }
  victim.core.ctime_ns = now_ns;
  transaction.log(victim, kInodeCore | kInodeData);
  if (victim.core.links == 0) add_orphan(transaction, victim);
}

// Order: everything is one transaction: a crash leaves both names as they were, or as they shall be.
Result<void> commit_rename(Renaming& renaming, Operation& operation) {
  Transaction& transaction = *operation;
  Inode& moved = **renaming.moved;
  Inode* const victim = renaming.victim ? &**renaming.victim : nullptr;
  const Ilocks locks({&renaming.from, &renaming.to, &moved, victim});
  transaction.join(renaming.from);
  transaction.join(renaming.to);
  transaction.join(moved);
  if (victim != nullptr) transaction.join(*victim);
  const uint64_t now_ns = realtime_coarse_ns();
  const DirTarget target{moved.ino(), moved.kind()};
  NamesHome to(renaming.to, &transaction);
  if (victim != nullptr) {
    DAXLAB_TRY(to->replace(renaming.to_name, target));
    drop_victim(transaction, renaming, now_ns);
  } else {
    DAXLAB_TRY(to->insert(renaming.to_name, target));
  }
  DAXLAB_TRY(NamesHome(renaming.from, &transaction)->erase(renaming.from_name));
  if (renaming.moves_directory() && renaming.across()) {
    DAXLAB_TRY(NamesHome(moved, &transaction)->set_parent(renaming.to.ino()));
    --renaming.from.core.links;
    ++renaming.to.core.links;
  }
  touch_directory(transaction, renaming.from, now_ns);
  touch_directory(transaction, renaming.to, now_ns);
  moved.core.ctime_ns = now_ns;
  transaction.log(moved, kInodeCore | kInodeData);  // its name is what an fdatasync shall keep, too
  return operation.commit();
}

Result<void> reserve_and_commit(Renaming& renaming) {
  Reservation reservation = reservation::names(*renaming.fs.volume, renaming.objects, 4);
  reservation.privileged = renaming.objects == 0;
  DAXLAB_ASSIGN(const auto operation, Operation::begin(renaming.fs, reservation));
  DAXLAB_TRY(commit_rename(renaming, *operation));
  return renaming.fs.settle(operation->sequence());
}

/// With both directories locked and the names found: what may replace what, in the order in which Linux looks. A directory that is
/// replaced is locked too, so that it stays empty.
Result<void> check_and_commit(Renaming& renaming) {
  if (!renaming.victim) return reserve_and_commit(renaming);
  Inode& victim = **renaming.victim;
  const bool replaces_directory = victim.kind() == NodeKind::kDirectory;
  if (replaces_directory) {
    DAXLAB_ASSIGN(const bool above, is_above(renaming.fs, victim, renaming.from));
    if (above) return Errc::kNotEmpty;
  }
  if (renaming.moves_directory() && !replaces_directory) return Errc::kNotDirectory;
  if (!renaming.moves_directory() && replaces_directory) return Errc::kIsDirectory;
  if (!replaces_directory) return reserve_and_commit(renaming);
  const ExclusiveRwsem rwsem(victim, true);
  {
    const SharedIlock lock(victim);
    DAXLAB_ASSIGN(const bool empty, NamesHome(victim, nullptr)->is_empty());
    if (!empty) return Errc::kNotEmpty;
  }
  return reserve_and_commit(renaming);
}

Result<void> rename_within(Renaming& renaming, RenameFlags flags) {
  const ExclusiveRwsem rwsem(renaming.from);
  DAXLAB_TRY(find_names(renaming, flags));
  if (renaming.nothing_to_do) return {};
  return check_and_commit(renaming);
}

Result<void> rename_across(Renaming& renaming, RenameFlags flags) {
  FileSystem& fs = renaming.fs;
  const MutexLock rename_lock(fs.rename_lock);
  // A directory before what is below it, else by number: the same order for everybody, as no directory moves meanwhile.
  DAXLAB_ASSIGN(const bool to_above, is_above(fs, renaming.to, renaming.from));
  DAXLAB_ASSIGN(const bool from_above, is_above(fs, renaming.from, renaming.to));
  const bool to_first = to_above || (!from_above && renaming.to.ino() < renaming.from.ino());
  const ExclusiveRwsem first(to_first ? renaming.to : renaming.from);
  const ExclusiveRwsem second(to_first ? renaming.from : renaming.to, true);
  DAXLAB_TRY(find_names(renaming, flags));
  if (renaming.nothing_to_do) return {};
  if (renaming.moves_directory()) {
    DAXLAB_ASSIGN(const bool into_itself, is_above(fs, **renaming.moved, renaming.to));
    if (into_itself) return Errc::kInvalid;
  }
  return check_and_commit(renaming);
}

}  // namespace

Result<void> rename_name(FileSystem& fs, Inode& from, std::string_view from_name, Inode& to, std::string_view to_name,
                         RenameFlags flags) {
  DAXLAB_TRY(check_name(from_name));
  DAXLAB_TRY(check_name(to_name));
  if (flags != RenameFlags::kNone && flags != RenameFlags::kNoReplace) return Errc::kInvalid;
  Renaming renaming{fs, from, from_name, to, to_name, {}, {}, false, 0};
  DAXLAB_TRY(&from == &to ? rename_within(renaming, flags) : rename_across(renaming, flags));
  if (renaming.victim && !renaming.nothing_to_do) forget_stores(fs, **renaming.victim);
  return {};  // what was replaced is let go of here, with no lock held
}

}  // namespace daxlab::xfslike
