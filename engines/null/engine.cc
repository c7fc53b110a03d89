// The null engine: every call succeeds with as little work as the interface allows and nothing is stored. See DESIGN.md.

#include "engines/api/engine.h"

#include <atomic>

#include "engines/api/registry.h"
#include "engines/base/counters.h"

namespace daxlab {
namespace {

constexpr uint64_t kKindBits = 3;
constexpr InodeId kRoot = (InodeId{1} << kKindBits) | static_cast<InodeId>(NodeKind::kDirectory);
constexpr InodeId kEveryName = (InodeId{2} << kKindBits) | static_cast<InodeId>(NodeKind::kFile);  // what a look-up finds
constexpr uint64_t kPretendedBlocks = uint64_t{1} << 40;

/// An inode number carries its kind, so that nothing needs to be remembered. Two threads may draw one number: nothing is there to be mixed up.
InodeId make_ino(NodeKind kind) {
  thread_local constinit uint64_t next = 3;
  return (next++ << kKindBits) | static_cast<InodeId>(kind);
}

Attributes attributes_of(InodeId ino, uint64_t size_bytes = 0) {
  Attributes attributes;
  attributes.ino = ino;
  attributes.kind = static_cast<NodeKind>(ino & ((1u << kKindBits) - 1));
  const bool is_directory = attributes.kind == NodeKind::kDirectory;
  attributes.mode = is_directory ? 0755 : 0644;
  attributes.links = is_directory ? 2 : 1;
  attributes.size_bytes = size_bytes;
  return attributes;
}

/// The size is that of this handle alone: the one thing that appends and getattr need to look plausible.
class NullFile final : public File {
 public:
  explicit NullFile(InodeId ino) : ino_(ino) {}
  InodeId ino() const override { return ino_; }
  Result<size_t> read(uint64_t, std::span<std::byte> out) override { return out.size(); }
  Result<size_t> write(uint64_t offset, std::span<const std::byte> data) override {
    count(Counter::logical_bytes, data.size());
    grow_to(offset + data.size());
    return data.size();
  }
  Result<uint64_t> append(std::span<const std::byte> data) override {
    count(Counter::logical_bytes, data.size());
    const uint64_t offset = size_bytes_.load(std::memory_order_relaxed);
    size_bytes_.store(offset + data.size(), std::memory_order_relaxed);
    return offset;
  }
  Result<void> fallocate(FallocateMode, uint64_t offset, uint64_t size_bytes) override {
    grow_to(offset + size_bytes);
    return {};
  }
  Result<uint64_t> seek(uint64_t offset, SeekWhat) override { return offset; }
  Result<void> fsync() override { return {}; }
  Result<void> fdatasync() override { return {}; }
  Result<Attributes> getattr() override { return attributes_of(ino_, size_bytes_.load(std::memory_order_relaxed)); }
  Result<Attributes> setattr(const SetAttributes& changes) override {
    if (changes.size_bytes) size_bytes_.store(*changes.size_bytes, std::memory_order_relaxed);
    return getattr();
  }
  Result<std::unique_ptr<Mapping>> map(uint64_t, uint64_t, bool) override { return Errc::kNotSupported; }

 private:
  // A relaxed load and store, no locked instruction: two threads may get one offset, and nothing is there to be damaged.
  void grow_to(uint64_t size_bytes) {
    if (size_bytes > size_bytes_.load(std::memory_order_relaxed)) size_bytes_.store(size_bytes, std::memory_order_relaxed);
  }
  const InodeId ino_;
  std::atomic<uint64_t> size_bytes_{0};
};

class NullDirectory final : public Directory {
 public:
  explicit NullDirectory(InodeId ino) : ino_(ino) {}
  InodeId ino() const override { return ino_; }
  Result<Attributes> lookup(std::string_view) override { return attributes_of(kEveryName); }
  Result<Attributes> stat(std::string_view) override { return attributes_of(kEveryName); }
  Result<CreatedFile> create(std::string_view, uint32_t, const Caller&) override {
    const InodeId ino = make_ino(NodeKind::kFile);
    return CreatedFile{attributes_of(ino), std::make_unique<NullFile>(ino)};
  }
  Result<Attributes> mkdir(std::string_view, uint32_t, const Caller&) override {
    return attributes_of(make_ino(NodeKind::kDirectory));
  }
  Result<Attributes> mknod(std::string_view, NodeKind kind, uint32_t, uint64_t, const Caller&) override {
    return attributes_of(make_ino(kind));
  }
  Result<Attributes> symlink(std::string_view, std::string_view, const Caller&) override {
    return attributes_of(make_ino(NodeKind::kSymlink));
  }
  Result<Attributes> link(std::string_view, InodeId target) override { return attributes_of(target); }
  Result<void> unlink(std::string_view) override { return {}; }
  Result<void> rmdir(std::string_view) override { return {}; }
  Result<void> rename(std::string_view, Directory&, std::string_view, RenameFlags) override { return {}; }
  Result<void> readdir(uint64_t, const Visitor&) override { return {}; }
  Result<Attributes> getattr() override { return attributes_of(ino_); }
  Result<Attributes> setattr(const SetAttributes&) override { return attributes_of(ino_); }
  Result<void> fsync() override { return {}; }

 private:
  const InodeId ino_;
};

class NullEngine final : public Engine {
 public:
  InodeId root() const override { return kRoot; }
  Result<std::unique_ptr<File>> open(InodeId ino, OpenFlags) override { return std::unique_ptr<File>(new NullFile(ino)); }
  Result<std::unique_ptr<Directory>> open_directory(InodeId ino) override {
    return std::unique_ptr<Directory>(new NullDirectory(ino));
  }
  Result<Attributes> getattr(InodeId ino) override { return attributes_of(ino); }
  Result<Attributes> setattr(InodeId ino, const SetAttributes&) override { return attributes_of(ino); }
  Result<std::string> readlink(InodeId) override { return std::string("/"); }
  Result<InodeId> parent(InodeId) override { return kRoot; }
  void forget(InodeId, uint64_t) override {}
  Result<FsStats> statfs() override { return FsStats{kPretendedBlocks, kPretendedBlocks, kPretendedBlocks, kPretendedBlocks}; }
  Result<void> sync() override { return {}; }
  Result<CheckReport> check() override { return Errc::kNotSupported; }
  uint64_t dram_bytes() const override { return 0; }
  Result<void> unmount() override { return {}; }
};

class NullType final : public EngineType {
 public:
  std::string name() const override { return "null"; }
  std::string description() const override { return "stores nothing: what the harness itself costs"; }
  std::vector<OptionSpec> options() const override { return {}; }
  Traits traits(const Options&) const override {
    Traits traits;
    traits.stores_data = false;
    traits.durable_on_return = false;
    traits.checkable = false;
    traits.mappable = false;
    traits.needs_region = false;
    traits.unmountable = false;
    return traits;
  }
  Result<void> format(pmem::Region*, const Options&) const override { return {}; }
  Result<std::unique_ptr<Engine>> mount(pmem::Region*, const Options&) const override {
    return std::unique_ptr<Engine>(new NullEngine);
  }
};

const RegisterEngine<NullType> kRegistered;

}  // namespace
}  // namespace daxlab
