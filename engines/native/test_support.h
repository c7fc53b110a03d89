// What the tests of native share: an engine on a private region, by the names of the registry.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "engines/api/engine.h"
#include "engines/api/path.h"
#include "engines/api/registry.h"
#include "engines/pmem/region.h"

namespace daxlab::native {

/// A formatted, mounted native engine; crash() forgets the mount, remount() does it properly.
class Mounted {
 public:
  explicit Mounted(const std::string& spec = "native:background=inline:mmu=soft", uint64_t size_bytes = 16 * kMiB,
                   const pmem::RunSpec& run = {})
      : region_(pmem::Region::for_test(size_bytes, run).value()), spec_(parse_engine(spec).value()) {
    must(spec_.type->format(region_.get(), spec_.options));
    mount();
  }

  template <typename T>
  static T must(Result<T> result) {
    if (!result.ok()) ADD_FAILURE() << result.error().message();
    return std::move(result).value();
  }
  static void must(const Result<void>& result) {
    if (!result.ok()) ADD_FAILURE() << result.error().message();
  }

  void mount() { engine_ = must(spec_.type->mount(region_.get(), spec_.options)); }
  Result<void> try_mount() {
    auto mounted = spec_.type->mount(region_.get(), spec_.options);
    if (!mounted.ok()) return mounted.error();
    engine_ = std::move(mounted).value();
    return {};
  }
  void crash() { engine_.reset(); }
  void unmount() {
    must(engine_->unmount());
    engine_.reset();
  }
  void remount() {
    unmount();
    mount();
  }
  void crash_and_mount() {
    crash();
    mount();
  }

  Engine& engine() { return *engine_; }
  pmem::Region& region() { return *region_; }
  std::unique_ptr<Directory> root() { return must(engine_->open_directory(engine_->root())); }
  std::unique_ptr<File> open(const std::string& path) { return must(open_path(*engine_, path)); }
  std::unique_ptr<File> create(const std::string& name) {
    auto created = must(root()->create(name, 0644, {}));
    engine_->forget(created.attributes.ino, 1);
    return std::move(created.file);
  }
  std::string findings() {
    const CheckReport report = must(engine_->check());
    std::string text;
    for (const std::string& finding : report.findings) text += finding + "\n";
    return text;
  }

 private:
  std::unique_ptr<pmem::Region> region_;
  EngineSpec spec_;
  std::unique_ptr<Engine> engine_;
};

inline std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

inline std::string read_all(File& file) {
  const auto size_bytes = file.getattr().value().size_bytes;
  std::string text(size_bytes, '?');
  const size_t got = file.read(0, std::as_writable_bytes(std::span(text))).value();
  text.resize(got);
  return text;
}

}  // namespace daxlab::native
