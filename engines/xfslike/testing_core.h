// A formatted, mounted engine of the core for its own tests, without the registry: crash() forgets the mount, remount() does it properly.
#pragma once

#include <memory>
#include <string>

#include "engines/api/testing.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/engine.h"
#include "engines/xfslike/presets.h"

namespace daxlab::xfslike {

class TestCore {
 public:
  /// `options` as in a spec: "format=v3:ags=1". Deterministic unless they say otherwise.
  explicit TestCore(const std::string& options = "", uint64_t size_bytes = 32 * kMiB, Preset preset = xfs_today_preset(),
                    const pmem::RunSpec& run = {})
      : type_(std::move(preset)), region_(pmem::Region::for_test(size_bytes, run).value()) {
    for (const OptionSpec& spec : type_.options()) options_.set(spec.name, spec.default_value);
    options_.set("background", "inline");
    options_.set("mmu", "soft");
    std::string rest = options;
    while (!rest.empty()) {
      size_t end = rest.find(':');
      if (end != std::string::npos && rest.find('=', end) == std::string::npos) end = std::string::npos;  // durability=batch:N is last
      const std::string part = rest.substr(0, end);
      rest = end == std::string::npos ? "" : rest.substr(end + 1);
      const size_t equals = part.find('=');
      options_.set(part.substr(0, equals), part.substr(equals + 1));
    }
    tests::must(type_.format(region_.get(), options_));
    mount();
  }

  void mount() { engine_ = tests::must(type_.mount(region_.get(), options_)); }
  Result<void> try_mount() {
    auto mounted = type_.mount(region_.get(), options_);
    if (!mounted.ok()) return mounted.error();
    engine_ = std::move(mounted).value();
    return {};
  }
  void crash() { engine_.reset(); }
  void crash_and_mount() {
    crash();
    mount();
  }
  /// A crash with a file open: its handle goes with the mount.
  void crash_with(std::unique_ptr<File> file) {
    fs().volume->shut_down();  // closing must change nothing on the medium
    file.reset();
    crash_and_mount();
  }
  void unmount() {
    tests::must(engine_->unmount());
    engine_.reset();
  }
  void remount() {
    unmount();
    mount();
  }

  Engine& operator*() { return *engine_; }
  Engine* operator->() { return engine_.get(); }
  FileSystem& fs() { return file_system_of(*engine_); }
  pmem::Region& region() { return *region_; }
  const Options& options() const { return options_; }
  std::string findings() {
    std::string text;
    for (const std::string& finding : tests::must(engine_->check()).findings) text += finding + "\n";
    return text;
  }
  std::unique_ptr<Directory> root() { return tests::must(engine_->open_directory(engine_->root())); }
  std::unique_ptr<File> create(const std::string& name) {
    CreatedFile created = tests::must(root()->create(name, 0644, {}));
    engine_->forget(created.attributes.ino, 1);
    return std::move(created.file);
  }
  void write_file(const std::string& name, std::span<const std::byte> data) { tests::must(create(name)->write(0, data)); }
  tests::Bytes read_file(const std::string& name) {
    const InodeId ino = tests::must(root()->lookup(name)).ino;
    const std::unique_ptr<File> file = tests::must(engine_->open(ino, {}));
    engine_->forget(ino, 1);
    return tests::Mounted::read_all(*file);
  }

 private:
  const PresetType type_;
  std::unique_ptr<pmem::Region> region_;
  Options options_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace daxlab::xfslike
