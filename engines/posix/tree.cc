#include "engines/posix/tree.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "engines/posix/fd.h"

namespace daxlab::posix {
namespace {

std::vector<std::string> names_in(int directory_fd) {
  std::vector<std::string> names;
  const int listing = ::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing < 0) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(listing), &::closedir);
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

/// Depth first by descriptors, so that no path can be too long.
Result<void> remove_children(int directory_fd) {
  for (const std::string& name : names_in(directory_fd)) {
    if (::unlinkat(directory_fd, name.c_str(), 0) == 0) continue;
    if (errno != EISDIR) return last_error();
    const Fd child(::openat(directory_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child.valid()) return last_error();
    DAXLAB_TRY(remove_children(child.get()));
    DAXLAB_TRY(as_result(::unlinkat(directory_fd, name.c_str(), AT_REMOVEDIR)));  // EBUSY: another mount
  }
  return {};
}

}  // namespace

Result<std::string> make_temporary_tree() {
  std::string path = "/dev/shm/daxlab-posix-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return Error(Errc::kMissingFacility,
                 fmt::format("posix: no directory in /dev/shm: {}; give posix:path=DIR", std::strerror(errno)));
  }
  DAXLAB_TRY(as_result(::chmod(path.c_str(), 0755)));
  return path;
}

Result<std::string> make_tree_in(const std::string& directory) {
  std::string path = directory + "/" + kTreeName;
  if (::mkdir(path.c_str(), 0755) < 0 && errno != EEXIST) {
    return Error(Errc::kUsage, fmt::format("posix:path={}: {}", directory, std::strerror(errno)));
  }
  return path;
}

Result<void> remove_tree(const std::string& path) {
  {
    const Fd top(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!top.valid()) return errno == ENOENT ? Result<void>() : Result<void>(last_error());
    DAXLAB_TRY(remove_children(top.get()));
  }
  return as_result(::rmdir(path.c_str()));
}

}  // namespace daxlab::posix
