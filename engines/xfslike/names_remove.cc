// unlink(2) and rmdir(2).
#include <optional>

#include "engines/api/names.h"
#include "engines/base/clock.h"
#include "engines/xfslike/inode_allocation.h"
#include "engines/xfslike/names.h"
#include "engines/xfslike/names_home.h"
#include "engines/xfslike/operation.h"

namespace daxlab::xfslike {

namespace {

/// Takes the name away, and the links that went with it; the inode's last makes it an orphan.
Result<void> erase_name(Operation& operation, Inode& directory, std::string_view name, Inode& inode) {
  Transaction& transaction = *operation;
  const bool directory_first = directory.ino() < inode.ino();
  const ExclusiveIlock first(directory_first ? directory : inode);
  const ExclusiveIlock second(directory_first ? inode : directory);
  transaction.join(directory);
  transaction.join(inode);
  DAXLAB_TRY(NamesHome(directory, &transaction)->erase(name));
  const uint64_t now_ns = realtime_coarse_ns();
  if (inode.kind() == NodeKind::kDirectory) {
    --directory.core.links;
    inode.core.links = 0;
  } else {
    --inode.core.links;
  }
  touch_directory(transaction, directory, now_ns);
  inode.core.ctime_ns = now_ns;
  transaction.log(inode, kInodeCore | kInodeData);
  if (inode.core.links == 0) add_orphan(transaction, inode);
  return operation.commit();
}

/// With the directory's rwsem and, where a directory goes, its own, so that it stays empty. `removed` is referenced.
Result<void> remove_name(FileSystem& fs, Inode& directory, std::string_view name, bool directory_wanted, Inode*& removed) {
  const ExclusiveRwsem rwsem(directory);
  DAXLAB_ASSIGN(const DirFound found, find_name(directory, name));
  const bool is_directory = found.kind == NodeKind::kDirectory;
  if (is_directory && !directory_wanted) return Errc::kIsDirectory;
  if (!is_directory && directory_wanted) return Errc::kNotDirectory;
  DAXLAB_ASSIGN(removed, fs.get(found.ino));
  std::optional<ExclusiveRwsem> child;
  if (is_directory) {
    child.emplace(*removed, true);
    const SharedIlock lock(*removed);
    DAXLAB_ASSIGN(const bool empty, NamesHome(*removed, nullptr)->is_empty());
    if (!empty) return Errc::kNotEmpty;
  }
  Reservation reservation = reservation::names(*fs.volume, 0, 2);
  reservation.privileged = true;
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation));
  DAXLAB_TRY(erase_name(*operation, directory, name, *removed));
  return fs.settle(operation->sequence());
}

// The last reference frees the inode, with no lock held.
Result<void> remove(FileSystem& fs, Inode& directory, std::string_view name, bool directory_wanted) {
  DAXLAB_TRY(check_name(name));
  Inode* inode = nullptr;
  const auto result = remove_name(fs, directory, name, directory_wanted, inode);
  if (inode == nullptr) return result;
  forget_stores(fs, *inode);
  fs.release(*inode);
  return result;
}

}  // namespace

void forget_stores(FileSystem& fs, Inode& inode) {
  {
    const SharedIlock lock(inode);
    if (inode.core.links != 0) return;
  }
  fs.mapped.remove(fs, inode);
}

// Order: name, links and the mark of an orphan are one transaction. A crash before its checkpoint is durable leaves the name, after it an
// orphan that recovery frees.
Result<void> CoreDirectory::unlink(std::string_view name) { return remove(handle_.fs(), handle_.inode(), name, false); }

Result<void> CoreDirectory::rmdir(std::string_view name) { return remove(handle_.fs(), handle_.inode(), name, true); }

}  // namespace daxlab::xfslike
