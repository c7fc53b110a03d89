// A damaged medium: bytes of a small image are flipped one at a time; then mount, check() and reading everything must end in an
// error, a refusal, or a tree that is the same. Never in a crash, a hang or wrong data that nobody complains of.
//
// Flipped are the bytes that mount, check() and reading everything load (the door to the medium tells, pmem/persist.h): of the
// non-zero 64-byte lines outside blocks of file data one byte in kStride, or all with DAXLAB_TEST_ALL=1; of lines that hold nothing
// few. Of these flips a quarter must be noticed, bytes of file data apart. What nothing loads, free space and what a log has done
// with, is flipped sparsely: mount and check() must not notice, for then they would load what the crash laboratory does not hear of.
//
// Each batch runs in a child process, so that a crash is counted with its byte, and the rest goes on.

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "engines/api/testing_tree.h"
#include "engines/pmem/recorder.h"

namespace daxlab::tests {
namespace {

constexpr uint64_t kImageBytes = 4 * kMiB;
constexpr uint64_t kStride = 61;           // co-prime to every structure's size, so that all fields are met
constexpr uint64_t kZeroLineStride = 251;  // of lines that hold nothing
constexpr uint64_t kFlipsMax = 600;        // about; an engine with more to flip has a longer stride
constexpr uint64_t kIdleStride = 1999;     // of bytes that nothing loads
constexpr unsigned kHangSeconds = 60;      // a guard against an endless loop, not a measurement

enum Outcome_ : size_t { kRefused, kFound, kFailed, kHarmless, kDataByte, kOutcomes };
constexpr const char* kOutcomeNames[kOutcomes] = {"mount refused", "check() found it", "an operation failed", "harmless",
                                                  "a byte of file data"};

struct Flip {
  uint64_t offset;
  bool loaded;  ///< By mount, check() or reading everything.
};

/// What child and parent share.
struct Progress {
  uint64_t next;  ///< Index of the flip that is being tried, or will be next.
  uint64_t counts[2][kOutcomes];  ///< By Flip::loaded.
  uint64_t first_idle_noticed;    ///< Its offset + 1.
  uint64_t wrong;
  char first_wrong[2048];
};

/// A byte string that no engine makes by itself: file data that can be told from metadata.
Bytes pattern(size_t size_bytes) {
  Bytes bytes(size_bytes);
  for (size_t i = 0; i < size_bytes; ++i) bytes[i] = static_cast<std::byte>("file data "[i % 10]);
  return bytes;
}
bool is_data_block(std::span<const std::byte> block) {
  static const Bytes kLong = pattern(kBlockBytes + 10);
  for (size_t phase = 0; phase < 10; ++phase) {
    if (std::memcmp(block.data(), kLong.data() + phase, block.size() - 10) == 0) return true;
  }
  return false;
}

class MediaFlip : public EngineSuite {
 protected:
  std::string unsuited(const Traits& traits) const override {
    if (!traits.needs_region) return "its medium is the kernel's";
    return traits.checkable && traits.unmountable ? "" : "it can neither check nor last";
  }
  uint64_t medium_bytes() const override { return kImageBytes; }

  void populate();
  void settle();
  std::vector<bool> find_loaded();
  std::vector<Flip> choose_flips(const std::vector<bool>& loaded) const;
  void try_flip(const Flip& flip, Progress& progress);
  void restore() { std::memcpy(fs().region()->bytes().data(), pristine_.data(), pristine_.size()); }
  static Outcome_ judge(const Result<Tree>& tree, const Tree& should, std::byte mask, std::string& wrong);
  Result<void> use(Engine& engine);

  Bytes pristine_;
  Tree tree_;
  std::map<std::string, Bytes> contents_;
};

void MediaFlip::populate() {
  fs().mkdir("/d", 0750, {.uid = 7, .gid = 8, .umask = 0});
  fs().write_file("/d/file", pattern(30'000));
  fs().write_file("/small", pattern(100));
  fs().link("/small", "/d/link");
  fs().symlink("/symlink", "a target");
  fs().symlink("/long", std::string(3000, 't'));
  fs().mknod("/fifo", NodeKind::kFifo);
  fs().mknod("/device", NodeKind::kBlockDevice, 0x1234);
  fs().write_file("/" + std::string(kNameBytesMax, 'n'), pattern(10));
  fs().write_file("/holes", pattern(100'000));
  must(fs().open("/holes")->fallocate(FallocateMode::kPunchHole, 10'000, 50'000));
  must(fs().open("/holes")->write(7000, pattern(64)));
  const std::unique_ptr<File> appended = fs().create("/appended");
  for (int i = 0; i < 30; ++i) must(appended->append(pattern(333)));
  must(appended->setattr({.size_bytes = 5000}));
  for (int i = 0; i < 40; ++i) fs().write_file("/d/name" + std::to_string(i), "");
  for (int i = 0; i < 40; i += 2) fs().unlink("/d/name" + std::to_string(i));
  fs().rename("/d/name1", "/renamed");
  fs().rename("/d/name3", "/renamed");
  fs().setattr("/d/file", {.mode = 04751, .uid = 1, .gid = 2, .mtime_ns = 1'000'000'000'000'000'001u});
}

/// Small changes, each durable by itself: what was populated is no longer what a log was last told, and its place is where it belongs.
void MediaFlip::settle() {
  for (uint32_t i = 0; i < 20; ++i) {
    fs().setattr("/small", {.mode = 0600 + i % 8});
    must(fs()->sync());
  }
}

/// One flag a byte of the medium.
std::vector<bool> MediaFlip::find_loaded() {
  pmem::Trace trace;
  {
    pmem::Recorder recorder(*fs().region());
    recorder.record_loads(true);
    fs().mount();
    must(engine().check());
    must(read_tree(engine()));
    trace = recorder.take();
  }
  fs().unmount();
  restore();
  std::vector<bool> loaded(pristine_.size());
  for (const pmem::Event& event : trace.events) {
    if (event.kind != pmem::Event::Kind::kLoad) continue;
    const auto begin = loaded.begin() + static_cast<ptrdiff_t>(event.offset_bytes);
    std::fill(begin, begin + event.size_bytes, true);
  }
  return loaded;
}

uint64_t next_prime(uint64_t from) {
  const auto is_prime = [](uint64_t n) {
    for (uint64_t i = 2; i * i <= n; ++i) {
      if (n % i == 0) return false;
    }
    return true;
  };
  while (!is_prime(from)) ++from;
  return from;
}

std::vector<Flip> MediaFlip::choose_flips(const std::vector<bool>& loaded) const {
  std::vector<uint64_t> candidates[2];  // idle, loaded
  uint64_t zero_lines = 0;
  for (uint64_t block = 0; block < pristine_.size(); block += kBlockBytes) {
    if (is_data_block(std::span(pristine_).subspan(block, kBlockBytes))) continue;
    for (uint64_t line = block; line < block + kBlockBytes; line += kCacheLineBytes) {
      const auto bytes = std::span(pristine_).subspan(line, kCacheLineBytes);
      const bool zero = std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
      if (zero && ++zero_lines % kZeroLineStride != 0) continue;
      for (uint64_t at = line; at < line + kCacheLineBytes; ++at) candidates[loaded[at]].push_back(at);
    }
  }
  const bool all = std::getenv("DAXLAB_TEST_ALL") != nullptr;
  const uint64_t stride = all ? 1 : next_prime(std::max(kStride, candidates[true].size() / kFlipsMax));
  std::vector<Flip> chosen;
  for (uint64_t i = 0; i < candidates[true].size(); i += stride) chosen.push_back({candidates[true][i], true});
  for (uint64_t i = 0; i < candidates[false].size(); i += kIdleStride) chosen.push_back({candidates[false][i], false});
  return chosen;
}

/// The same tree, or the same but for one byte of one file that differs by just what was flipped: that byte was data, not
/// metadata.
Outcome_ MediaFlip::judge(const Result<Tree>& tree, const Tree& should, std::byte, std::string& wrong) {
  if (!tree.ok()) return kFailed;
  wrong = tree_difference(*tree, should);
  return wrong.empty() ? kHarmless : kOutcomes;
}

/// What survived must also be usable.
Result<void> MediaFlip::use(Engine& engine) {
  DAXLAB_ASSIGN(const std::unique_ptr<Directory> root, engine.open_directory(engine.root()));
  DAXLAB_ASSIGN(const CreatedFile created, root->create("after", 0644, {}));
  engine.forget(created.attributes.ino, 1);
  DAXLAB_TRY(created.file->write(0, pattern(5000)));
  return root->unlink("after");
}

void MediaFlip::try_flip(const Flip& flip, Progress& progress) {
  const uint64_t offset = flip.offset;
  const auto mask = static_cast<std::byte>(1u << (offset % 8));
  fs().region()->bytes()[offset] ^= mask;
  const auto count = [&](Outcome_ outcome) {
    ++progress.counts[flip.loaded][outcome];
    if (!flip.loaded && (outcome == kRefused || outcome == kFound)) progress.first_idle_noticed = offset + 1;
  };
  Result<std::unique_ptr<Engine>> engine = fs().spec().type->mount(fs().region(), fs().spec().options);
  if (!engine.ok()) return count(kRefused);
  const Result<CheckReport> report = (*engine)->check();
  const Result<Tree> tree = read_tree(**engine);
  if (!report.ok()) return count(kFailed);
  if (!report->clean()) return count(kFound);
  std::string wrong;
  Outcome_ outcome = judge(tree, tree_, mask, wrong);
  if (outcome == kOutcomes) {
    Tree without_content = *tree;
    Tree should = tree_;
    uint64_t differing_files = 0;
    for (auto& [path, node] : without_content) {
      const auto found = should.find(path);
      if (found == should.end() || node.content_crc32c == found->second.content_crc32c) continue;
      const Result<std::unique_ptr<File>> file = open_path(**engine, path);
      if (!file.ok() || node.size_bytes != contents_[path].size()) continue;
      Bytes bytes(node.size_bytes);
      const Result<size_t> got = (*file)->read(0, bytes);
      uint64_t differing_bytes = 0;
      for (size_t i = 0; got.ok() && i < bytes.size(); ++i) {
        if (bytes[i] == contents_[path][i]) continue;
        differing_bytes += (bytes[i] ^ contents_[path][i]) == mask ? 1 : 2;
      }
      if (differing_bytes != 1) continue;
      if (path == node.same_inode_as) ++differing_files;
      node.content_crc32c = found->second.content_crc32c;
    }
    if (differing_files == 1 && tree_difference(without_content, should).empty()) outcome = kDataByte;
  }
  if (outcome == kHarmless && !(use(**engine).ok() && (*engine)->unmount().ok())) outcome = kFailed;
  if (outcome != kOutcomes) return count(outcome);
  if (progress.wrong++ == 0) {
    const std::string text = fmt::format("byte {} (block {}, offset {}) was {:#04x}: {}", offset, offset / kBlockBytes,
                                         offset % kBlockBytes, std::to_integer<int>(pristine_[offset]), wrong);
    std::snprintf(progress.first_wrong, sizeof(progress.first_wrong), "%s", text.c_str());
  }
}

TEST_P(MediaFlip, NoByteOfMetadataLeadsToACrashAHangOrWrongData) {
  populate();
  settle();
  fs().remount();
  tree_ = must(read_tree(engine()));
  for (const auto& [path, node] : tree_) {
    if (node.kind == NodeKind::kFile) contents_[path] = fs().read_file(path);
  }
  fs().unmount();
  pristine_.assign(fs().region()->bytes().begin(), fs().region()->bytes().end());
  const std::vector<Flip> flips = choose_flips(find_loaded());
  ASSERT_GT(flips.size(), 20u);

  void* const shared = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto& progress = *new (shared) Progress{};
  uint64_t deaths = 0;
  while (progress.next < flips.size() && deaths < 20) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (; progress.next < flips.size(); ++progress.next) {
        ::alarm(kHangSeconds);
        restore();
        try_flip(flips[progress.next], progress);
      }
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    const uint64_t offset = flips[progress.next].offset;
    const std::string how = WIFSIGNALED(status)
                                ? fmt::format("signal {}{}", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? " (a hang)" : "")
                                : fmt::format("exit code {}", WEXITSTATUS(status));
    ADD_FAILURE() << fmt::format("byte {} (block {}, offset {}), bit {}: the process ended by {}", offset, offset / kBlockBytes,
                                 offset % kBlockBytes, offset % 8, how);
    ++deaths;
    ++progress.next;
  }
  std::string text = fmt::format("{}: {} bytes flipped:", GetParam(), flips.size());
  for (const bool loaded : {true, false}) {
    text += loaded ? " loaded:" : " not loaded:";
    for (size_t i = 0; i < kOutcomes; ++i) text += fmt::format(" {} {};", progress.counts[loaded][i], kOutcomeNames[i]);
  }
  fmt::print("{} {} wrong, {} deaths\n", text, progress.wrong, deaths);
  EXPECT_EQ(progress.wrong, 0u) << progress.first_wrong;
  EXPECT_EQ(progress.first_idle_noticed, 0u) << "noticed, but never loaded through the door: this byte + 1";
  const auto& counts = progress.counts[true];
  const uint64_t noticed = counts[kRefused] + counts[kFound] + counts[kFailed];
  EXPECT_GT(noticed, (noticed + counts[kHarmless]) / 4) << "nearly nothing was noticed";
  ::munmap(shared, sizeof(Progress));
  restore();
  fs().mount();
}

DAXLAB_ON_EVERY_ENGINE(MediaFlip);

}  // namespace
}  // namespace daxlab::tests
