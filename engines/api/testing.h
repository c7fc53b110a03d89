// For the suites over all engines (tests only): a mounted engine with short ways to say what must succeed, and contents to write.
//
// must() ends a test at the first thing that fails, with the caller's line; outcome() is for calls whose error is the subject.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <functional>
#include <memory>
#include <ostream>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engines/api/engine.h"
#include "engines/api/path.h"
#include "engines/api/registry.h"
#include "engines/base/random.h"
#include "engines/base/units.h"
#include "engines/pmem/region.h"

namespace daxlab {

inline void PrintTo(Errc code, std::ostream* out) { *out << name(code); }

/// How a call ended: well, or with a code.
struct Outcome {
  bool succeeded;
  Errc code;  ///< Where it failed.
  friend bool operator==(const Outcome& outcome, Errc expected) { return !outcome.succeeded && outcome.code == expected; }
  friend void PrintTo(const Outcome& outcome, std::ostream* out) { *out << (outcome.succeeded ? "success" : name(outcome.code)); }
};

}  // namespace daxlab

namespace daxlab::tests {

using Bytes = std::vector<std::byte>;

// --- results

template <typename T>
Outcome outcome(const Result<T>& result) {
  return result.ok() ? Outcome{true, Errc::kIo} : Outcome{false, result.code()};
}

[[noreturn]] inline void fail(const std::string& message, const char* file, int line) {
  ADD_FAILURE_AT(file, line) << message;
  throw ::testing::AssertionException(
      ::testing::TestPartResult(::testing::TestPartResult::kFatalFailure, file, line, message.c_str()));
}

/// The value, or the end of this test.
template <typename T>
T must(Result<T> result, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!result.ok()) fail(std::string("must succeed: ") + name(result.code()) + ", " + result.error().message(), file, line);
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

// --- contents

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline Bytes filled(size_t size_bytes, uint8_t value) { return Bytes(size_bytes, std::byte{value}); }

/// Random bytes without a zero among them, so that a hole or a lost line shows.
inline Bytes content(uint64_t seed, size_t size_bytes) {
  Random random(seed);
  Bytes bytes(size_bytes);
  for (size_t at = 0; at < size_bytes; at += 8) {
    const uint64_t word = random.next() | 0x0101010101010101u;
    std::memcpy(bytes.data() + at, &word, std::min<size_t>(8, size_bytes - at));
  }
  return bytes;
}

/// Where two byte strings differ first, for people; empty if they do not.
inline std::string difference(std::span<const std::byte> is, std::span<const std::byte> should) {
  if (is.size() != should.size()) return "size " + std::to_string(is.size()) + " instead of " + std::to_string(should.size());
  const auto [at, other] = std::mismatch(is.begin(), is.end(), should.begin());
  if (at == is.end()) return {};
  return "byte " + std::to_string(at - is.begin()) + " is " + std::to_string(std::to_integer<int>(*at)) + " instead of " +
         std::to_string(std::to_integer<int>(*other));
}

// --- a mounted engine

inline constexpr uint64_t kSuiteMediumBytes = 64 * kMiB;

/// An engine by its spec, formatted and mounted on a fresh medium of its own.
class Mounted {
 public:
  explicit Mounted(std::string_view spec_text, uint64_t size_bytes = kSuiteMediumBytes) : spec_(must(parse_engine(spec_text))) {
    traits_ = spec_.type->traits(spec_.options);
    if (traits_.needs_region) region_ = must(pmem::Region::for_test(std::max(size_bytes, spec_.type->min_size_bytes())));
    must(spec_.type->format(region_.get(), spec_.options));
    mount();
  }
  ~Mounted() {
    root_.reset();
    if (!engine_) return;
    const Result<void> unmounted = engine_->unmount();
    EXPECT_TRUE(unmounted.ok()) << "at the end of the test: " << unmounted.error().message();
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  const EngineSpec& spec() const { return spec_; }
  const Traits& traits() const { return traits_; }
  pmem::Region* region() { return region_.get(); }
  Engine& engine() { return *engine_; }
  Engine* operator->() { return engine_.get(); }
  Directory& root() { return *root_; }

  void mount() {
    engine_ = must(spec_.type->mount(region_.get(), spec_.options));
    root_ = must(engine_->open_directory(engine_->root()));
  }
  void unmount() {
    root_.reset();
    must(engine_->unmount());
    engine_.reset();
  }
  void remount() {
    unmount();
    mount();
  }
  /// Leaves the medium as a crash does after which everything stored turns out to be durable; nothing may be open.
  void drop() {
    root_.reset();
    engine_.reset();
  }

  /// Every invariant that the engine can prove of itself.
  void check(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    if (!traits_.checkable) return;
    const CheckReport report = must(engine_->check(), file, line);
    for (const std::string& finding : report.findings) ADD_FAILURE_AT(file, line) << "check(): " << finding;
  }

  // Everything below takes paths and must succeed.
  std::unique_ptr<File> create(std::string_view path, uint32_t mode = 0644, const Caller& caller = {}) {
    const auto [parent, name] = must(open_parent(*engine_, path));
    CreatedFile created = must(parent->create(name, mode, caller));
    engine_->forget(created.attributes.ino, 1);  // the open file keeps it
    return std::move(created.file);
  }
  void write_file(std::string_view path, std::span<const std::byte> data) { must(create(path)->write(0, data)); }
  void write_file(std::string_view path, std::string_view text) { write_file(path, bytes_of(text)); }
  Bytes read_file(std::string_view path) {
    const std::unique_ptr<File> file = open(path);
    return read_all(*file);
  }
  static Bytes read_all(File& file) {
    Bytes bytes(must(file.getattr()).size_bytes);
    bytes.resize(must(file.read(0, bytes)));
    return bytes;
  }
  static Bytes read(File& file, uint64_t offset, size_t size_bytes) {
    Bytes bytes(size_bytes);
    bytes.resize(must(file.read(offset, bytes)));
    return bytes;
  }
  std::unique_ptr<File> open(std::string_view path, OpenFlags flags = {}) { return must(open_path(*engine_, path, flags)); }
  std::unique_ptr<Directory> directory(std::string_view path) { return must(open_directory_path(*engine_, path)); }
  void mkdir(std::string_view path, uint32_t mode = 0755, const Caller& caller = {}) {
    const auto [parent, name] = must(open_parent(*engine_, path));
    engine_->forget(must(parent->mkdir(name, mode, caller)).ino, 1);
  }
  void symlink(std::string_view path, std::string_view target) {
    const auto [parent, name] = must(open_parent(*engine_, path));
    engine_->forget(must(parent->symlink(name, target, {})).ino, 1);
  }
  void mknod(std::string_view path, NodeKind kind, uint64_t device = 0) {
    const auto [parent, name] = must(open_parent(*engine_, path));
    engine_->forget(must(parent->mknod(name, kind, 0644, device, {})).ino, 1);
  }
  void link(std::string_view existing, std::string_view path) {
    const auto [from_parent, from_name] = must(open_parent(*engine_, existing));
    const InodeId ino = must(from_parent->lookup(from_name)).ino;
    const auto [parent, name] = must(open_parent(*engine_, path));
    must(parent->link(name, ino));
    engine_->forget(ino, 2);
  }
  void unlink(std::string_view path) {
    const auto [parent, name] = must(open_parent(*engine_, path));
    must(parent->unlink(name));
  }
  void rmdir(std::string_view path) {
    const auto [parent, name] = must(open_parent(*engine_, path));
    must(parent->rmdir(name));
  }
  Result<void> try_rename(std::string_view from, std::string_view to, RenameFlags flags = RenameFlags::kNone) {
    const auto [from_parent, from_name] = must(open_parent(*engine_, from));
    const auto [to_parent, to_name] = must(open_parent(*engine_, to));
    return from_parent->rename(from_name, *to_parent, to_name, flags);
  }
  void rename(std::string_view from, std::string_view to, RenameFlags flags = RenameFlags::kNone) {
    must(try_rename(from, to, flags));
  }
  /// A look-up reference, for the caller to forget().
  InodeId refer(std::string_view path) {
    const auto [parent, name] = must(open_parent(*engine_, path));
    return must(parent->lookup(name)).ino;
  }
  Attributes stat(std::string_view path) { return must(resolve(*engine_, path, false)); }
  bool exists(std::string_view path) { return resolve(*engine_, path, false).ok(); }
  Attributes setattr(std::string_view path, const SetAttributes& changes) {
    const InodeId ino = refer(path);
    const Attributes attributes = must(engine_->setattr(ino, changes));
    engine_->forget(ino, 1);
    return attributes;
  }
  std::set<std::string> names(std::string_view path) { return names(*directory(path)); }
  static std::set<std::string> names(Directory& directory) {
    std::set<std::string> found;
    must(directory.readdir(0, [&](const DirectoryEntry& entry) {
      EXPECT_TRUE(found.emplace(entry.name).second) << "listed twice: " << entry.name;
      return true;
    }));
    return found;
  }

 private:
  EngineSpec spec_;
  Traits traits_;
  std::unique_ptr<pmem::Region> region_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Directory> root_;
};

// --- suites over all engines

/// What every registered engine that stores anything wants to be run with.
inline std::vector<std::string> suite_specs() {
  std::vector<std::string> specs;
  for (const EngineType* type : engine_types()) {
    for (std::string& text : type->suite_variants()) {
      const Result<EngineSpec> spec = parse_engine(text);
      if (!spec.ok() || type->traits(spec->options).stores_data) specs.push_back(std::move(text));
    }
  }
  return specs;
}

inline std::string spec_test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string text = info.param;
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return text;
}

/// A suite that runs on every engine whose traits it can use; afterwards the engine must still be sound.
class EngineSuite : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string text = spec_text();
    if (IsSkipped()) return;
    const EngineSpec spec = must(parse_engine(text));
    if (const std::string reason = unsuited(spec.type->traits(spec.options)); !reason.empty()) GTEST_SKIP() << reason;
    mounted_ = std::make_unique<Mounted>(text, medium_bytes());
  }
  void TearDown() override {
    if (mounted_ && !HasFailure()) mounted_->check();
    mounted_.reset();
  }
  /// Why an engine with these traits is left out; empty if it is not.
  virtual std::string unsuited(const Traits&) const { return {}; }
  virtual uint64_t medium_bytes() const { return kSuiteMediumBytes; }
  /// What to mount; a suite may give an engine that enters the kernel a place of its own. Called once, and may skip the test.
  virtual std::string spec_text() { return GetParam(); }
  static bool enters_kernel(const std::string& text) {
    const EngineSpec spec = must(parse_engine(text));
    return spec.type->traits(spec.options).enters_kernel;
  }

  Mounted& fs() { return *mounted_; }
  Engine& engine() { return mounted_->engine(); }
  Directory& root() { return mounted_->root(); }

 private:
  std::unique_ptr<Mounted> mounted_;
};

#define DAXLAB_ON_EVERY_ENGINE(Suite) \
  INSTANTIATE_TEST_SUITE_P(Engines, Suite, ::testing::ValuesIn(::daxlab::tests::suite_specs()), ::daxlab::tests::spec_test_name)

#ifdef DAXLAB_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Repetitions of a long test: fewer where a sanitizer makes each ten times as long.
constexpr uint64_t scaled(uint64_t count) { return kSanitized ? std::max<uint64_t>(1, count / 10) : count; }

}  // namespace daxlab::tests
