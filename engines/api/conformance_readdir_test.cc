// readdir(): every name once, cookies that stay valid while other names come and go.

#include <map>

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

constexpr int kManyNames = 3000;  // more than fits any listing buffer

struct Listed {
  std::string name;
  InodeId ino;
  NodeKind kind;
  uint64_t cookie;
};

class ConformanceReaddir : public EngineSuite {
 protected:
  /// At most `entries_max` entries from `cookie` on.
  std::vector<Listed> list(Directory& directory, uint64_t cookie, size_t entries_max) {
    std::vector<Listed> entries;
    must(directory.readdir(cookie, [&](const DirectoryEntry& entry) {
      if (entries.size() == entries_max) return false;
      entries.push_back({std::string(entry.name), entry.ino, entry.kind, entry.cookie});
      return true;
    }));
    return entries;
  }
  std::string name(int i) { return "name-" + std::to_string(i) + std::string(static_cast<size_t>(i % 40), 'x'); }
  void fill(std::string_view path, int count) {
    const std::unique_ptr<Directory> directory = fs().directory(path);
    for (int i = 0; i < count; ++i) engine().forget(must(directory->create(name(i), 0644, {})).attributes.ino, 1);
  }
  /// Lists all in steps of `step` entries, calling `between` with what was seen so far after each; counts each name.
  std::map<std::string, int> list_in_steps(Directory& directory, size_t step,
                                           const std::function<void(const std::vector<Listed>&)>& between) {
    std::map<std::string, int> seen;
    std::vector<Listed> all;
    uint64_t cookie = 0;
    while (true) {
      const std::vector<Listed> some = list(directory, cookie, step);
      if (some.empty()) return seen;
      for (const Listed& entry : some) ++seen[entry.name];
      all.insert(all.end(), some.begin(), some.end());
      cookie = some.back().cookie;
      if (between) between(all);
    }
  }
};

TEST_P(ConformanceReaddir, AnEmptyDirectoryListsNothing) {
  fs().mkdir("/d");
  EXPECT_TRUE(list(*fs().directory("/d"), 0, 10).empty());
  EXPECT_TRUE(list(root(), 0, 10).size() == 1u);
}

TEST_P(ConformanceReaddir, EntriesCarryInodeAndKind) {
  fs().write_file("/file", "x");
  fs().mkdir("/directory");
  fs().symlink("/symlink", "t");
  fs().mknod("/fifo", NodeKind::kFifo);
  fs().mknod("/socket", NodeKind::kSocket);
  fs().link("/file", "/hardlink");
  const std::vector<Listed> entries = list(root(), 0, 100);
  ASSERT_EQ(entries.size(), 6u);
  for (const Listed& entry : entries) {
    EXPECT_EQ(entry.ino, fs().stat("/" + entry.name).ino) << entry.name;
    EXPECT_EQ(entry.kind, fs().stat("/" + entry.name).kind) << entry.name;
    EXPECT_NE(entry.cookie, 0u);
  }
}

TEST_P(ConformanceReaddir, CookiesAreDistinctAndResumeBehindTheirEntry) {
  fill("/", 50);
  const std::vector<Listed> all = list(root(), 0, 1000);
  ASSERT_EQ(all.size(), 50u);
  std::set<uint64_t> cookies;
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(cookies.insert(all[i].cookie).second);
    const std::vector<Listed> rest = list(root(), all[i].cookie, 1000);
    ASSERT_EQ(rest.size(), all.size() - i - 1);
    if (!rest.empty()) {
      EXPECT_EQ(rest.front().name, all[i + 1].name);
    }
  }
}

TEST_P(ConformanceReaddir, ALongListingInStepsHasEveryNameOnce) {
  fs().mkdir("/d");
  fill("/d", kManyNames);
  const std::unique_ptr<Directory> d = fs().directory("/d");
  for (const size_t step : {size_t{1}, size_t{7}, size_t{1000}, size_t{100000}}) {
    const std::map<std::string, int> seen = list_in_steps(*d, step, nullptr);
    EXPECT_EQ(seen.size(), static_cast<size_t>(kManyNames)) << step;
    for (const auto& [entry, times] : seen) EXPECT_EQ(times, 1) << entry;
  }
}

// rm -r as many programs do it: remove what the last call listed, go on from its cookie.
TEST_P(ConformanceReaddir, WhatIsListedCanBeRemovedWhileTheListingGoesOn) {
  fs().mkdir("/d");
  fill("/d", kManyNames);
  const std::unique_ptr<Directory> d = fs().directory("/d");
  size_t removed = 0;
  list_in_steps(*d, 100, [&](const std::vector<Listed>& all) {
    for (; removed < all.size(); ++removed) must(d->unlink(all[removed].name));
  });
  EXPECT_EQ(removed, static_cast<size_t>(kManyNames));
  EXPECT_TRUE(Mounted::names(*d).empty());
  fs().rmdir("/d");
}

TEST_P(ConformanceReaddir, NamesThatStayAreListedOnceWhileOthersComeAndGo) {
  fs().mkdir("/d");
  fill("/d", kManyNames);
  const std::unique_ptr<Directory> d = fs().directory("/d");
  Random random(11);
  std::set<std::string> stable;
  for (int i = 0; i < kManyNames; i += 2) stable.insert(name(i));
  int next_new = kManyNames;
  const std::map<std::string, int> seen = list_in_steps(*d, 50, [&](const std::vector<Listed>&) {
    if (next_new > 4 * kManyNames) return;  // an engine that lists new names behind old ones would never end
    for (int i = 0; i < 20; ++i) {  // odd numbers come and go, even ones stay
      const std::string victim = name(static_cast<int>(random.below(kManyNames / 2)) * 2 + 1);
      if (!d->unlink(victim).ok()) engine().forget(must(d->create(victim, 0644, {})).attributes.ino, 1);
      engine().forget(must(d->create("new-" + std::to_string(next_new++), 0644, {})).attributes.ino, 1);
    }
    const std::string moving = "new-" + std::to_string(next_new - 1);
    must(d->rename(moving, *d, moving + "-renamed", RenameFlags::kNone));
  });
  for (const std::string& name : stable) {
    const auto found = seen.find(name);
    EXPECT_EQ(found == seen.end() ? 0 : found->second, 1) << name;
  }
}

TEST_P(ConformanceReaddir, ACookieOutlivesItsEntryAndAnotherHandleTakesItUp) {
  fill("/", 100);
  const std::vector<Listed> all = list(root(), 0, 1000);
  fs().unlink("/" + all[40].name);
  const std::unique_ptr<Directory> other = fs().directory("/");
  const std::vector<Listed> rest = list(*other, all[40].cookie, 1000);
  ASSERT_EQ(rest.size(), 59u);
  EXPECT_EQ(rest.front().name, all[41].name);
}

TEST_P(ConformanceReaddir, TheVisitorCanStopAndAnEntryThatItRefusedComesAgain) {
  fill("/", 10);
  const std::vector<Listed> first = list(root(), 0, 3);
  ASSERT_EQ(first.size(), 3u);
  const std::vector<Listed> rest = list(root(), first.back().cookie, 100);
  EXPECT_EQ(rest.size(), 7u);
}

TEST_P(ConformanceReaddir, ALargeDirectoryShrinksToNothingAndGrowsAgain) {
  fs().mkdir("/d");
  for (int round = 0; round < 3; ++round) {
    fill("/d", kManyNames);
    const std::unique_ptr<Directory> d = fs().directory("/d");
    EXPECT_EQ(Mounted::names(*d).size(), static_cast<size_t>(kManyNames));
    for (int i = 0; i < kManyNames; ++i) must(d->unlink(name(i)));
    EXPECT_TRUE(Mounted::names(*d).empty());
  }
  fs().rmdir("/d");
}

DAXLAB_ON_EVERY_ENGINE(ConformanceReaddir);

}  // namespace
}  // namespace daxlab::tests
