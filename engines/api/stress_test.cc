// Several threads on one engine at once; afterwards everything must add up. Meant for ThreadSanitizer builds, where it runs
// shorter.

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "engines/api/testing_tree.h"

namespace daxlab::tests {
namespace {

constexpr uint64_t kThreads = 4;

class Stress : public EngineSuite {
 protected:
  /// Runs body(thread) on kThreads threads and then proves the tree.
  void on_threads(const std::function<void(uint64_t)>& body) {
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < kThreads; ++t) threads.emplace_back([&body, t] { body(t); });
    for (std::thread& thread : threads) thread.join();
  }
  /// Link counts are the numbers of names; what check() proves; and all of it lasts.
  void prove() {
    const Tree tree = must(read_tree(engine()));
    std::map<std::string, uint32_t> names;
    std::map<std::string, uint32_t> subdirectories;
    for (const auto& [path, node] : tree) {
      ++names[node.same_inode_as];
      const std::string parent = path.substr(0, std::max<size_t>(1, path.rfind('/')));
      if (node.kind == NodeKind::kDirectory && path != "/") ++subdirectories[parent];
    }
    for (const auto& [path, node] : tree) {
      const uint32_t should = node.kind == NodeKind::kDirectory ? 2 + subdirectories[path] : names[node.same_inode_as];
      EXPECT_EQ(node.links, should) << path;
    }
    fs().check();
    if (!fs().traits().unmountable) return;
    fs().remount();
    EXPECT_EQ(tree_difference(must(read_tree(engine())), tree), "");
  }
  /// A call whose outcome depends on the other threads: it may succeed or say why not, but not this.
  static void may_fail(const Outcome& outcome, std::initializer_list<Errc> allowed, const char* call) {
    if (outcome.succeeded || std::find(allowed.begin(), allowed.end(), outcome.code) != allowed.end()) return;
    ADD_FAILURE() << call << ": " << name(outcome.code);
  }
};

TEST_P(Stress, NamesInSharedDirectories) {
  constexpr uint64_t kDirectories = 3;
  for (uint64_t d = 0; d < kDirectories; ++d) fs().mkdir(fmt::format("/d{}", d));
  fs().write_file("/target", "linked from everywhere");
  const InodeId target = fs().refer("/target");
  const Errc made_and_gone = fs().traits().enters_kernel ? Errc::kStale : Errc::kExists;  // mkdir(2) opens nothing
  on_threads([&](uint64_t t) {
    Random random(Random::mix(1, t));
    std::vector<std::unique_ptr<Directory>> directories;
    for (uint64_t d = 0; d < kDirectories; ++d) directories.push_back(fs().directory(fmt::format("/d{}", d)));
    for (uint64_t i = 0; i < scaled(4000); ++i) {
      Directory& in = *directories[random.below(kDirectories)];
      Directory& to = *directories[random.below(kDirectories)];
      const std::string name = fmt::format("n{}", random.below(12));
      const std::string other = fmt::format("n{}", random.below(12));
      const auto forgotten = [&](const Result<Attributes>& result) {
        if (result.ok()) engine().forget(result->ino, 1);
        return outcome(result);
      };
      switch (random.below(8)) {
        case 0: {
          const Result<CreatedFile> created = in.create(name, 0644, {});
          if (created.ok()) engine().forget(created->attributes.ino, 1);
          may_fail(outcome(created), {Errc::kExists}, "create");
          break;
        }
        case 1:
          may_fail(forgotten(in.mkdir(name, 0755, {})), {Errc::kExists, made_and_gone}, "mkdir");
          break;
        case 2:
          may_fail(forgotten(in.link(name, target)), {Errc::kExists}, "link");
          break;
        case 3:
          may_fail(outcome(in.unlink(name)), {Errc::kNotFound, Errc::kIsDirectory}, "unlink");
          break;
        case 4:
          may_fail(outcome(in.rmdir(name)), {Errc::kNotFound, Errc::kNotDirectory}, "rmdir");
          break;
        case 5:
          may_fail(forgotten(in.lookup(name)), {Errc::kNotFound}, "lookup");
          break;
        case 6: {
          std::set<std::string> listed;
          may_fail(outcome(in.readdir(0, [&](const DirectoryEntry& entry) { return listed.emplace(entry.name).second; })), {},
                   "readdir");
          break;
        }
        default:
          may_fail(outcome(in.rename(name, to, other, random.below(4) == 0 ? RenameFlags::kNoReplace : RenameFlags::kNone)),
                   {Errc::kNotFound, Errc::kExists, Errc::kIsDirectory, Errc::kNotDirectory}, "rename");
      }
    }
  });
  engine().forget(target, 1);
  prove();
}

TEST_P(Stress, DirectoriesMovedThroughEachOther) {
  for (int i = 0; i < 4; ++i) fs().mkdir(fmt::format("/d{}", i));
  on_threads([&](uint64_t t) {
    Random random(Random::mix(2, t));
    for (uint64_t i = 0; i < scaled(1500); ++i) {
      // Any depth: directories are found wherever they are now, so that cycles would be easy to make.
      std::vector<std::string> paths{""};
      for (int d = 0; d < 4; ++d) {
        for (const std::string& base : std::vector<std::string>(paths)) {
          const std::string path = base + fmt::format("/d{}", d);
          if (paths.size() < 8 && resolve(engine(), path).ok()) paths.push_back(path);
        }
      }
      const std::string from = paths[random.below(paths.size())];
      const std::string to = paths[random.below(paths.size())] + fmt::format("/d{}", random.below(4));
      if (from.empty()) continue;
      const auto from_parent = open_parent(engine(), from);
      const auto to_parent = open_parent(engine(), to);
      if (!from_parent.ok() || !to_parent.ok()) continue;
      may_fail(
          outcome(from_parent->first->rename(from_parent->second, *to_parent->first, to_parent->second, RenameFlags::kNoReplace)),
          {Errc::kNotFound, Errc::kExists, Errc::kInvalid}, "rename");
    }
  });
  const Tree tree = must(read_tree(engine()));
  EXPECT_EQ(tree.size(), 5u);  // nobody was lost in a cycle
  prove();
}

TEST_P(Stress, PrivateFilesInOneDirectoryAllArrive) {
  const uint64_t files = scaled(1000);
  fs().mkdir("/shared");
  on_threads([&](uint64_t t) {
    const std::unique_ptr<Directory> shared = fs().directory("/shared");
    for (uint64_t i = 0; i < files; ++i) {
      const std::string name = fmt::format("t{}-{}", t, i);
      CreatedFile created = must(shared->create(name, 0644, {}));
      engine().forget(created.attributes.ino, 1);
      must(created.file->write(0, content(t * files + i, 100 + i % 5000)));
      if (i % 2 == 1)
        must(shared->rename(fmt::format("t{}-{}", t, i - 1), *shared, fmt::format("kept{}-{}", t, i), RenameFlags::kNone));
      if (i % 2 == 1) must(shared->unlink(name));
    }
  });
  EXPECT_EQ(fs().names("/shared").size(), kThreads * ((files + 1) / 2));
  for (uint64_t t = 0; t < kThreads; ++t) {
    for (uint64_t i = 1; i < files; i += 2) {
      const Bytes should = content(t * files + i - 1, 100 + (i - 1) % 5000);
      ASSERT_EQ(difference(fs().read_file(fmt::format("/shared/kept{}-{}", t, i)), should), "");
    }
  }
  prove();
}

// Each version is written completely before a rename shows it: a reader must see one version, whole.
TEST_P(Stress, ReplacedFilesAreSeenWhole) {
  constexpr size_t kWords = 1500;
  const auto version = [](uint64_t number) {
    std::vector<uint64_t> words(kWords + number % 700, number);
    const auto bytes = std::as_bytes(std::span(words));
    return Bytes(bytes.begin(), bytes.end());
  };
  fs().write_file("/shared", version(1));
  std::atomic<uint64_t> writers_left{kThreads / 2};
  std::atomic<uint64_t> reads{0};
  on_threads([&](uint64_t t) {
    if (t % 2 == 0) {
      for (uint64_t i = 1; i <= scaled(1000); ++i) {
        const std::string path = fmt::format("/new{}", t);
        fs().write_file(path, version(i * kThreads + t));
        fs().rename(path, "/shared");
      }
      --writers_left;
      return;
    }
    while (writers_left.load() > 0 || reads.load() == 0) {
      const Bytes bytes = fs().read_file("/shared");
      uint64_t number = 0;
      std::memcpy(&number, bytes.data(), 8);
      ASSERT_EQ(difference(bytes, version(number)), "");
      ++reads;
    }
  });
  prove();
}

TEST_P(Stress, OneFileWrittenAppendedCutAndReadByAll) {
  const std::unique_ptr<File> file = fs().create("/file");
  const uint64_t rounds = scaled(1500);
  on_threads([&](uint64_t t) {
    Random random(Random::mix(3, t));
    const std::unique_ptr<File> own = fs().open("/file");
    const Bytes block = filled(kBlockBytes, static_cast<uint8_t>(t + 1));
    Bytes out(3 * kBlockBytes);
    for (uint64_t i = 0; i < rounds; ++i) {
      switch (random.below(8)) {
        case 0:
          must(own->append(block));
          break;
        case 1:
          must(own->fallocate(FallocateMode::kPunchHole, random.below(64) * kBlockBytes, kBlockBytes));
          break;
        case 2:
          if (random.below(16) == 0) must(own->setattr({.size_bytes = random.below(64) * kBlockBytes}));
          break;
        case 3:
        case 4:
          must(own->read(random.below(64 * kBlockBytes), out));
          break;
        case 5:
          must(own->fsync());
          break;
        default:
          must(own->write(random.below(64) * kBlockBytes, block));
      }
    }
  });
  const Bytes all = Mounted::read_all(*file);
  ASSERT_EQ(all.size() % kBlockBytes, 0u);
  for (size_t at = 0; at < all.size(); at += kBlockBytes) {  // whole blocks of one writer, or holes
    const std::span block(all.data() + at, kBlockBytes);
    const auto value = std::to_integer<uint8_t>(block[0]);
    ASSERT_LE(value, kThreads);
    ASSERT_EQ(difference(block, filled(kBlockBytes, value)), "") << at;
  }
}

// Stores through mappings, writes, syncs and punches around them, on one file; each thread has its own line of every page.
TEST_P(Stress, FaultsAgainstWritesOnOneFile) {
  if (!fs().traits().mappable) GTEST_SKIP() << "it maps nothing";
  constexpr uint64_t kPages = 64;
  const std::unique_ptr<File> file = fs().create("/file");
  must(file->setattr({.size_bytes = 2 * kPages * kBlockBytes}));
  on_threads([&](uint64_t t) {
    Random random(Random::mix(4, t));
    const std::unique_ptr<File> own = fs().open("/file");
    for (uint64_t round = 0; round < std::max<uint64_t>(2, scaled(20)); ++round) {
      const std::unique_ptr<Mapping> mapping = must(own->map(0, kPages * kBlockBytes, true));
      for (uint64_t page = 0; page < kPages; ++page) {
        must(mapping->store(page * kBlockBytes + t * 64, filled(64, static_cast<uint8_t>(round + t + 1))));
        if (random.below(8) == 0) must(own->write((kPages + random.below(kPages)) * kBlockBytes, filled(kBlockBytes, 9)));
        if (random.below(16) == 0)
          must(own->fallocate(FallocateMode::kPunchHole, (kPages + random.below(kPages)) * kBlockBytes, kBlockBytes));
        if (random.below(16) == 0) must(mapping->sync(0, kPages * kBlockBytes));
        if (random.below(16) == 0) must(own->write(page * kBlockBytes + t * 64, filled(64, static_cast<uint8_t>(round + t + 1))));
      }
      for (uint64_t page = 0; page < kPages; ++page) {
        Bytes line(64);
        must(mapping->load(page * kBlockBytes + t * 64, line));
        ASSERT_EQ(difference(line, filled(64, static_cast<uint8_t>(round + t + 1))), "")
            << "page " << page << " thread " << t << " round " << round;
      }
    }
  });
}

TEST_P(Stress, UnlinkedFilesLiveWhileThreadsHoldThem) {
  const uint64_t rounds = scaled(1500);
  on_threads([&](uint64_t t) {
    Random random(Random::mix(5, t));
    for (uint64_t i = 0; i < rounds; ++i) {
      const std::string path = fmt::format("/f{}", random.below(6));
      const auto [parent, file_name] = must(open_parent(engine(), path));
      const Result<Attributes> found = parent->lookup(file_name);
      if (!found.ok()) {
        Result<CreatedFile> created = parent->create(file_name, 0644, {});
        may_fail(outcome(created), {Errc::kExists}, "create");
        if (!created.ok()) continue;
        must(created->file->write(0, content(created->attributes.ino, 5000)));
        engine().forget(created->attributes.ino, 1);
        continue;
      }
      if (random.below(2) == 0) may_fail(outcome(parent->unlink(file_name)), {Errc::kNotFound}, "unlink");
      {
        const std::unique_ptr<File> file = must(engine().open(found->ino, {}));
        const Bytes bytes = Mounted::read(*file, 0, 5000);
        EXPECT_EQ(difference(bytes, content(found->ino, bytes.size())), "");  // nothing yet, or all
      }
      engine().forget(found->ino, 1);
    }
  });
  prove();
}

DAXLAB_ON_EVERY_ENGINE(Stress);

}  // namespace
}  // namespace daxlab::tests
