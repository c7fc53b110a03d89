// 100 000 random operations on every engine and on tmpfs at once, compared call by call and tree by tree.
//
// Both sides get the same operation on handles and names that correspond. A mismatch prints the seed, the operation's number and
// the operations before it. DAXLAB_TEST_SEED=N runs another sequence, DAXLAB_TEST_OPS=N another length.

#include <fmt/format.h>

#include <cstdlib>
#include <deque>

#include "engines/api/testing_tree.h"

namespace daxlab::tests {
namespace {

constexpr uint64_t kOperations = 100'000;
constexpr uint64_t kTreeEvery = 5'000;
constexpr uint64_t kRemountEvery = 7'000;
constexpr size_t kDirectoryHandles = 5;
constexpr size_t kFileHandles = 6;
constexpr uint64_t kNames = 9;
constexpr uint64_t kFileBytesMax = 200'000;
constexpr uint64_t kPast_ns = 1'000'000'000'000'000'000u;
constexpr uint64_t kNow_ns = 1'500'000'000'000'000'000u;  // times set by the test lie before, times taken from a clock after

uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// One of the two file systems with its open handles.
struct Side {
  explicit Side(const std::string& spec) : fs(spec, 192 * kMiB) {}

  void close_all() {
    for (auto& handle : files) handle.reset();
    for (auto& handle : directories) handle.reset();
  }
  Directory& directory(size_t slot) {
    if (!directories[slot]) directories[slot] = must(fs->open_directory(fs->root()));
    return *directories[slot];
  }

  Mounted fs;
  std::array<std::unique_ptr<File>, kFileHandles> files;
  std::array<std::unique_ptr<Directory>, kDirectoryHandles> directories;
};

/// How a call ended, in a form that must be equal on both sides.
template <typename T, typename Show>
std::string shown(const Result<T>& result, const Show& show) {
  if (!result.ok()) return name(result.code());
  if constexpr (std::is_void_v<T>) {
    return "ok";
  } else {
    return "ok " + show(*result);
  }
}
std::string shown(const Result<void>& result) { return result.ok() ? "ok" : name(result.code()); }

/// What must agree: not inode numbers, block counts, nor times that a clock gave; those must only be such.
std::string show_attributes(const Attributes& a) {
  const bool has_size = a.kind == NodeKind::kFile || a.kind == NodeKind::kSymlink;
  return fmt::format("kind {} mode {:o} owner {}:{} links {} size {} device {} mtime {}", static_cast<int>(a.kind), a.mode, a.uid,
                     a.gid, a.links, has_size ? a.size_bytes : 0, a.device,
                     a.mtime_ns < kNow_ns ? std::to_string(a.mtime_ns) : "now");
}
std::string shown(const Result<Attributes>& result) { return shown(result, show_attributes); }

/// Attributes of a look-up or creation, whose reference is given back.
std::string shown_and_forgotten(Side& side, const Result<Attributes>& result) {
  if (result.ok()) side.fs->forget(result->ino, 1);
  return shown(result);
}

class RandomOperations : public EngineSuite {
 protected:
  using Call = std::function<std::string(Side&)>;

  void SetUp() override {
    const std::string text = GetParam();
    subject_ = std::make_unique<Side>(text);
    reference_ = std::make_unique<Side>("posix");
  }
  void TearDown() override {
    for (Side* side : {subject_.get(), reference_.get()}) {
      if (side != nullptr) side->close_all();
    }
    if (!HasFailure()) subject_->fs.check();
  }

  uint64_t below(uint64_t bound) { return random_.below(bound); }
  bool one_in(uint64_t n) { return below(n) == 0; }
  std::string some_name() {
    const uint64_t i = below(kNames);
    if (i == 0) return std::string(kNameBytesMax, 'L');
    return fmt::format("n{}", i);
  }
  uint64_t some_offset() { return one_in(3) ? below(kFileBytesMax / kBlockBytes) * kBlockBytes : below(kFileBytesMax); }
  uint64_t some_size() { return one_in(5) ? 1 + below(30'000) : one_in(3) ? kBlockBytes * (1 + below(3)) : 1 + below(500); }

  void make_namespace_operation();
  void make_rename();
  void make_inode_operation();
  void make_handle_operation();
  void make_data_operation();
  void make_size_operation();

  /// The operation to run on both sides.
  void operation(std::string what, Call call) {
    what_ = std::move(what);
    call_ = std::move(call);
  }
  bool run_one(uint64_t number);
  void report(uint64_t number, const std::string& subject, const std::string& reference);
  bool compare_trees(uint64_t number);

  std::unique_ptr<Side> subject_;
  std::unique_ptr<Side> reference_;
  uint64_t seed_ = number_from_environment("DAXLAB_TEST_SEED", 20260101);
  Random random_{seed_};
  std::string what_;
  Call call_;
  std::deque<std::string> history_;
};

void RandomOperations::make_namespace_operation() {
  const size_t d = below(kDirectoryHandles);
  const std::string name = some_name();
  const Caller caller{
      .uid = static_cast<uint32_t>(below(3)), .gid = static_cast<uint32_t>(below(3)), .umask = one_in(2) ? 022u : 0u};
  const auto mode = static_cast<uint32_t>(below(0777));
  const std::string at = fmt::format("d{} {}", d, name.substr(0, 4));
  const size_t f = below(kFileHandles);
  switch (below(10)) {
    case 0:
    case 1:
    case 2:
      return operation(fmt::format("create {} mode {:o} into f{}", at, mode, f), [=](Side& s) {
        Result<CreatedFile> created = s.directory(d).create(name, mode, caller);
        if (!created.ok()) return std::string(daxlab::name(created.code()));
        s.fs->forget(created->attributes.ino, 1);
        s.files[f] = std::move(created->file);
        return show_attributes(created->attributes);
      });
    case 3:
      return operation(fmt::format("mkdir {} mode {:o}", at, mode),
                       [=](Side& s) { return shown_and_forgotten(s, s.directory(d).mkdir(name, mode, caller)); });
    case 4: {
      const std::string target(1 + below(300), 't');
      return operation(fmt::format("symlink {} to {} bytes", at, target.size()),
                       [=](Side& s) { return shown_and_forgotten(s, s.directory(d).symlink(name, target, caller)); });
    }
    case 5:
      return operation(fmt::format("mknod {}", at), [=](Side& s) {
        return shown_and_forgotten(s, s.directory(d).mknod(name, NodeKind::kFifo, mode, 0, caller));
      });
    case 6:
      return operation(fmt::format("link {} to f{}", at, f), [=](Side& s) {
        if (!s.files[f]) return std::string("closed");
        return shown_and_forgotten(s, s.directory(d).link(name, s.files[f]->ino()));
      });
    case 7:
    case 8:
      return operation(fmt::format("unlink {}", at), [=](Side& s) { return shown(s.directory(d).unlink(name)); });
    default:
      return operation(fmt::format("rmdir {}", at), [=](Side& s) { return shown(s.directory(d).rmdir(name)); });
  }
}

void RandomOperations::make_rename() {
  const size_t from = below(kDirectoryHandles);
  const size_t to = one_in(2) ? from : below(kDirectoryHandles);
  const std::string from_name = some_name();
  const std::string to_name = some_name();
  const auto flags = static_cast<RenameFlags>(one_in(4) ? below(3) : 0);
  operation(fmt::format("rename d{} {} to d{} {} flags {}", from, from_name.substr(0, 4), to, to_name.substr(0, 4),
                        static_cast<int>(flags)),
            [=](Side& s) { return shown(s.directory(from).rename(from_name, s.directory(to), to_name, flags)); });
}

void RandomOperations::make_inode_operation() {
  const size_t d = below(kDirectoryHandles);
  const std::string name = some_name();
  const std::string at = fmt::format("d{} {}", d, name.substr(0, 4));
  const auto with_inode = [=](auto use) {
    return [=](Side& s) {
      const Result<Attributes> found = s.directory(d).lookup(name);
      if (!found.ok()) return std::string(daxlab::name(found.code()));
      const std::string result = use(s, found->ino);
      s.fs->forget(found->ino, 1);
      return result;
    };
  };
  switch (below(7)) {
    case 0:
      return operation("stat " + at, [=](Side& s) { return shown(s.directory(d).stat(name)); });
    case 1:
      return operation("lookup " + at, [=](Side& s) { return shown_and_forgotten(s, s.directory(d).lookup(name)); });
    case 2:
      return operation("readlink " + at, with_inode([](Side& s, InodeId ino) {
                         return shown(s.fs->readlink(ino), [](const std::string& target) { return target; });
                       }));
    case 3: {
      SetAttributes changes;
      if (one_in(2)) changes.uid = static_cast<uint32_t>(below(3));
      if (one_in(2)) changes.gid = static_cast<uint32_t>(below(3));
      if (one_in(2)) changes.mtime_ns = kPast_ns + below(1000);
      return operation("setattr owner or mtime of " + at,
                       with_inode([=](Side& s, InodeId ino) { return shown(s.fs->setattr(ino, changes)); }));
    }
    case 4: {
      const auto mode = static_cast<uint32_t>(below(07777));
      return operation(fmt::format("setattr mode {:o} of {}", mode, at), with_inode([=](Side& s, InodeId ino) {
                         if (must(s.fs->getattr(ino)).kind == NodeKind::kSymlink) return std::string("symlinks keep theirs");
                         return shown(s.fs->setattr(ino, {.mode = mode}));
                       }));
    }
    case 5:
      return operation(fmt::format("getattr of d{}", d), [=](Side& s) { return shown(s.directory(d).getattr()); });
    default:
      return operation(fmt::format("readdir d{}", d), [=](Side& s) {
        if (must(s.directory(d).getattr()).links == 0) return std::string("removed");  // nothing or kNotFound: both are right
        std::map<std::string, int> entries;
        const Result<void> listed = s.directory(d).readdir(
            0, [&](const DirectoryEntry& entry) { return entries.emplace(entry.name, static_cast<int>(entry.kind)).second; });
        std::string text = shown(listed);
        for (const auto& [entry, kind] : entries) text += fmt::format(" {}:{}", entry.substr(0, 4), kind);
        return text;
      });
  }
}

void RandomOperations::make_handle_operation() {
  const size_t d = below(kDirectoryHandles);
  const size_t f = below(kFileHandles);
  const std::string name = some_name();
  switch (below(6)) {
    case 0:
      return operation(fmt::format("close f{}", f), [=](Side& s) {
        s.files[f].reset();
        return std::string("ok");
      });
    case 1:
      return operation(fmt::format("d{} is the root", d), [=](Side& s) {
        s.directories[d].reset();
        return std::string("ok");
      });
    case 2:
    case 3: {
      const size_t into = below(kDirectoryHandles);
      return operation(fmt::format("open directory d{} {} into d{}", d, name.substr(0, 4), into), [=](Side& s) {
        const Result<Attributes> found = s.directory(d).lookup(name);
        if (!found.ok()) return std::string(daxlab::name(found.code()));
        Result<std::unique_ptr<Directory>> opened = s.fs->open_directory(found->ino);
        s.fs->forget(found->ino, 1);
        if (!opened.ok()) return std::string(daxlab::name(opened.code()));
        s.directories[into] = std::move(*opened);
        return std::string("ok");
      });
    }
    default: {
      const OpenFlags flags{.read = true, .write = !one_in(6), .truncate = false};
      const bool truncate = flags.write && one_in(6);
      return operation(fmt::format("open d{} {} into f{}, write {}, truncate {}", d, name.substr(0, 4), f, flags.write, truncate),
                       [=](Side& s) {
                         const Result<Attributes> found = s.directory(d).lookup(name);
                         if (!found.ok()) return std::string(daxlab::name(found.code()));
                         const bool special = found->kind == NodeKind::kFifo;
                         Result<std::unique_ptr<File>> opened =
                             special ? Errc::kNotSupported
                                     : s.fs->open(found->ino, {.read = true, .write = flags.write, .truncate = truncate});
                         s.fs->forget(found->ino, 1);
                         if (!opened.ok()) return std::string(daxlab::name(opened.code()));
                         s.files[f] = std::move(*opened);
                         return std::string("ok");
                       });
    }
  }
}

void RandomOperations::make_data_operation() {
  const size_t f = below(kFileHandles);
  const uint64_t offset = some_offset();
  const uint64_t size = some_size();
  const uint64_t seed = random_.next();
  const auto with_file = [=](auto use) { return [=](Side& s) { return s.files[f] ? use(*s.files[f]) : std::string("closed"); }; };
  const auto count = [](uint64_t n) { return std::to_string(n); };
  switch (below(6)) {
    case 0:
    case 1:
      return operation(fmt::format("write f{} {} + {}", f, offset, size),
                       with_file([=](File& file) { return shown(file.write(offset, content(seed, size)), count); }));
    case 2:
      return operation(fmt::format("append f{} {}", f, size), with_file([=](File& file) {
                         const uint64_t now = must(file.getattr()).size_bytes;
                         if (now + size > 2 * kFileBytesMax) return std::string("long enough");
                         return shown(file.append(content(seed, size)), count);
                       }));
    default:
      return operation(fmt::format("read f{} {} + {}", f, offset, size), with_file([=](File& file) {
                         Bytes bytes(size);
                         const Result<size_t> got = file.read(offset, bytes);
                         if (!got.ok()) return std::string(daxlab::name(got.code()));
                         return fmt::format("{} bytes, crc {:08x}", *got, crc32c(bytes.data(), *got));
                       }));
  }
}

void RandomOperations::make_size_operation() {
  const size_t f = below(kFileHandles);
  const uint64_t offset = some_offset();
  const uint64_t size = some_size();
  const auto with_file = [=](auto use) { return [=](Side& s) { return s.files[f] ? use(*s.files[f]) : std::string("closed"); }; };
  switch (below(4)) {
    case 0:
      return operation(fmt::format("truncate f{} to {}", f, offset),
                       with_file([=](File& file) { return shown(file.setattr({.size_bytes = offset})); }));
    case 1:
      return operation(fmt::format("getattr f{}", f), with_file([=](File& file) { return shown(file.getattr()); }));
    case 2:
      return operation(fmt::format("fsync f{}", f), with_file([=](File& file) { return shown(file.fsync()); }));
    default: {
      const auto mode = static_cast<FallocateMode>(below(4));
      return operation(fmt::format("fallocate f{} mode {} {} + {}", f, static_cast<int>(mode), offset, size),
                       with_file([=](File& file) {
                         const std::string result = shown(file.fallocate(mode, offset, size));
                         // Whether it changes mtime is left to the file system; from here on it is known again.
                         return result + shown(file.setattr({.mtime_ns = kPast_ns}));
                       }));
    }
  }
}

bool RandomOperations::run_one(uint64_t number) {
  switch (below(20)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      make_namespace_operation();
      break;
    case 5:
    case 6:
      make_rename();
      break;
    case 7:
    case 8:
    case 9:
      make_inode_operation();
      break;
    case 10:
    case 11:
    case 12:
      make_handle_operation();
      break;
    case 13:
    case 14:
    case 15:
    case 16:
    case 17:
      make_data_operation();
      break;
    default:
      make_size_operation();
  }
  const std::string reference = call_(*reference_);
  history_.push_back(fmt::format("{}: {} -> {}", number, what_, reference));
  if (history_.size() > 20) history_.pop_front();
  const std::string subject = call_(*subject_);
  if (subject == reference) return true;
  report(number, subject, reference);
  return false;
}

void RandomOperations::report(uint64_t number, const std::string& subject, const std::string& reference) {
  std::string text = fmt::format("seed {}, operation {}\n  {}: {}\n  tmpfs: {}\nlast operations:\n", seed_, number, GetParam(),
                                 subject, reference);
  for (const std::string& line : history_) text += "  " + line + "\n";
  ADD_FAILURE() << text;
}

bool RandomOperations::compare_trees(uint64_t number) {
  const auto normalised = [](Tree tree) {
    for (auto& [path, node] : tree) {
      if (node.mtime_ns >= kNow_ns) node.mtime_ns = kNow_ns;
    }
    return tree;
  };
  const std::string differs =
      tree_difference(normalised(must(read_tree(subject_->fs.engine()))), normalised(must(read_tree(reference_->fs.engine()))));
  if (differs.empty()) return true;
  report(number, "the trees differ:\n" + differs, "");
  return false;
}

TEST_P(RandomOperations, AgreeWithTmpfsCallByCall) {
  const uint64_t operations = number_from_environment("DAXLAB_TEST_OPS", scaled(kOperations));
  for (uint64_t number = 1; number <= operations; ++number) {
    ASSERT_TRUE(run_one(number));
    if (number % kTreeEvery == 0) {
      ASSERT_TRUE(compare_trees(number));
      ASSERT_NO_FATAL_FAILURE(subject_->fs.check());
    }
    if (number % kRemountEvery == 0) {
      subject_->close_all();
      reference_->close_all();
      if (subject_->fs.traits().unmountable) subject_->fs.remount();
      ASSERT_TRUE(compare_trees(number));
    }
  }
  subject_->close_all();
  reference_->close_all();
  EXPECT_TRUE(compare_trees(operations));
}

DAXLAB_ON_EVERY_ENGINE(RandomOperations);

}  // namespace
}  // namespace daxlab::tests
