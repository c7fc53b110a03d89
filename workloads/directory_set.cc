#include "workloads/directory_set.h"

#include <fmt/core.h>

#include <set>

namespace daxlab {

NameSet::NameSet(char letter, uint64_t first, uint64_t count) : count_(count) {
  text_.reserve(count * kNameBytes);
  for (uint64_t i = 0; i < count; ++i) text_ += fmt::format("{}{:0{}}", letter, first + i, kNameBytes - 1);
}

Result<InodeId> create_empty(Engine& engine, Directory& directory, std::string_view name) {
  DAXLAB_ASSIGN(CreatedFile created, directory.create(name, 0644, Caller{}));
  created.file.reset();
  engine.forget(created.attributes.ino, 1);
  return created.attributes.ino;
}

Result<void> DirectorySet::create(const WorkloadContext& context, uint64_t population, bool shared) {
  shared_ = shared;
  threads_ = context.threads;
  if (shared && population < threads_) {
    return Error(Errc::kUsage, fmt::format("population={}: too few names for {} threads that share them", population, threads_));
  }
  names_ = NameSet('n', 0, population);
  const uint64_t directories = shared ? 1 : threads_;
  DAXLAB_ASSIGN(auto root, context.engine.open_directory(context.engine.root()));
  for (uint64_t i = 0; i < directories; ++i) {
    DAXLAB_ASSIGN(const Attributes made, root->mkdir(fmt::format("dir{}", i), 0755, Caller{}));
    directories_.push_back(made.ino);
    DAXLAB_ASSIGN(auto directory, context.engine.open_directory(made.ino));
    std::vector<InodeId> inodes;
    inodes.reserve(population);
    for (uint64_t name = 0; name < population; ++name) {
      DAXLAB_ASSIGN(const InodeId ino, create_empty(context.engine, *directory, names_[name]));
      inodes.push_back(ino);
    }
    inodes_.push_back(std::move(inodes));
    DAXLAB_TRY(directory->fsync());
  }
  return root->fsync();
}

NamePart DirectorySet::part(uint32_t thread) const {
  if (!shared_) return {thread, 0, names_.size()};
  const uint64_t each = names_.size() / threads_;
  return {0, thread * each, each};
}

Result<std::unique_ptr<Directory>> DirectorySet::open(Engine& engine, uint64_t directory) const {
  DAXLAB_CHECK(directory < directories_.size());
  return engine.open_directory(directories_[directory]);
}

Result<void> check_listing(Directory& directory, uint64_t number, const Listing& expected) {
  std::set<std::string, std::less<>> seen;
  std::string wrong;
  DAXLAB_TRY(directory.readdir(0, [&](const DirectoryEntry& entry) {
    const auto found = expected.find(entry.name);
    if (found == expected.end()) {
      wrong = fmt::format("directory {}: '{}' should not be there", number, entry.name);
    } else if (found->second != 0 && found->second != entry.ino) {
      wrong = fmt::format("directory {}: '{}' is inode {} instead of {}", number, entry.name, entry.ino, found->second);
    } else if (!seen.emplace(entry.name).second) {
      wrong = fmt::format("directory {}: '{}' is listed twice", number, entry.name);
    }
    return wrong.empty();
  }));
  if (!wrong.empty()) return Error(Errc::kCorrupt, wrong);
  for (const auto& [name, ino] : expected) {
    if (!seen.contains(name)) return Error(Errc::kCorrupt, fmt::format("directory {}: '{}' is missing", number, name));
  }
  return {};
}

}  // namespace daxlab
