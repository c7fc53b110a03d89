// Space of logs is no lost space.

#include <gmock/gmock.h>

#include "engines/native/file_system.h"
#include "engines/native/test_support.h"

namespace daxlab::native {
namespace {

/// Fills the medium with empty files, or up to `enough`; how many there are then.
uint64_t fill_with_names(Mounted& fs, Directory& directory, uint64_t enough) {
  const std::string padding(200, 'p');
  for (uint64_t count = 0; count < enough; ++count) {
    auto created = directory.create(std::to_string(count) + padding, 0644, {});
    if (!created.ok()) {
      EXPECT_EQ(created.code(), Errc::kNoSpace);
      return count;
    }
    fs.engine().forget(created->attributes.ino, 1);
  }
  return enough;
}

void remove_names(Directory& directory, uint64_t count) {
  const std::string padding(200, 'p');
  for (uint64_t i = 0; i < count; ++i) Mounted::must(directory.unlink(std::to_string(i) + padding));
}

TEST(Cleaner, AsManyNamesFitAgain) {
  Mounted fs("native:mmu=soft", 8 * kMiB);
  const auto root = fs.root();
  const uint64_t first = fill_with_names(fs, *root, UINT64_MAX);
  EXPECT_GT(first, 1000u);
  remove_names(*root, first);
  EXPECT_GE(fill_with_names(fs, *root, first), first - first / 10);
}

TEST(Cleaner, AFileFindsTheSpaceOfDeadLogPages) {
  Mounted fs("native:mmu=soft", 8 * kMiB);
  const auto root = fs.root();
  const uint64_t names = fill_with_names(fs, *root, UINT64_MAX);
  remove_names(*root, names);
  const auto file = fs.create("f");
  const std::string half(4 * kMiB, 'x');
  EXPECT_TRUE(file->append(bytes_of(half)).ok());
}

}  // namespace
}  // namespace daxlab::native
