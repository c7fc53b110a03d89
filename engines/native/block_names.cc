#include "engines/native/block_names.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "engines/base/check.h"
#include "engines/xfslike/dirblock.h"

namespace daxlab::native {

namespace {

using xfslike::BlockSpace;
using xfslike::MetadataBytes;
using xfslike::MetadataRef;

class DramBlock final : public MetadataBytes {
 public:
  explicit DramBlock(uint32_t size_bytes) : size_bytes_(size_bytes), bytes_(new std::byte[size_bytes]()) {}
  uint32_t size_bytes() const override { return size_bytes_; }
  const std::byte* read(uint32_t offset, uint32_t, std::byte*) const override { return bytes_.get() + offset; }
  void write(uint32_t offset, const void* from, uint32_t size) override { std::memcpy(bytes_.get() + offset, from, size); }
  void move(uint32_t to, uint32_t from, uint32_t size) override { std::memmove(bytes_.get() + to, bytes_.get() + from, size); }

 private:
  const uint32_t size_bytes_;
  const std::unique_ptr<std::byte[]> bytes_;
};

/// Three ranges of addresses, each dense from its start: data, hash index, free index.
class DramSpace final : public BlockSpace {
 public:
  explicit DramSpace(uint32_t block_bytes) : block_bytes_(block_bytes), range_(xfslike::kDirSpaceBytes / block_bytes) {}

  uint32_t block_bytes() const override { return block_bytes_; }
  Result<MetadataRef> get(uint64_t address, Access) override {
    const Range& blocks = range_of(address);
    const uint64_t at = address % range_;
    if (at >= blocks.size() || blocks[at] == nullptr) return Errc::kNotFound;
    return reference(*blocks[at]);
  }
  Result<MetadataRef> add(uint64_t address) override {
    Range& blocks = range_of(address);
    const uint64_t at = address % range_;
    if (at >= blocks.size()) blocks.resize(at + 1);
    DAXLAB_CHECK(blocks[at] == nullptr);
    blocks[at] = std::make_unique<DramBlock>(block_bytes_);
    ++count_;
    return reference(*blocks[at]);
  }
  Result<void> remove(uint64_t address) override {
    Range& blocks = range_of(address);
    blocks[address % range_].reset();
    while (!blocks.empty() && blocks.back() == nullptr) blocks.pop_back();
    --count_;
    return {};
  }
  Result<uint64_t> next(uint64_t address) override {
    for (uint64_t range = address / range_; range < ranges_.size(); ++range, address = range * range_) {
      const Range& blocks = ranges_[range];
      for (uint64_t at = address % range_; at < blocks.size(); ++at) {
        if (blocks[at] != nullptr) return range * range_ + at;
      }
    }
    return Errc::kNotFound;
  }
  Result<uint64_t> unused(uint64_t address) override {
    const Range& blocks = range_of(address);
    const auto begin = blocks.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(address % range_, blocks.size()));
    const auto hole = std::find(begin, blocks.end(), nullptr);
    return address / range_ * range_ + std::max(address % range_, static_cast<uint64_t>(hole - blocks.begin()));
  }
  uint64_t dram_bytes() const { return count_ * (block_bytes_ + sizeof(DramBlock)); }

 private:
  using Range = std::vector<std::unique_ptr<DramBlock>>;
  Range& range_of(uint64_t address) { return ranges_[address / range_]; }
  static MetadataRef reference(DramBlock& block) {
    return {&block, [](MetadataBytes*) {}};
  }

  const uint32_t block_bytes_;
  const uint64_t range_;
  std::array<Range, 3> ranges_;
  uint64_t count_ = 0;
};

}  // namespace

struct BlockNames::Blocks {
  explicit Blocks(uint32_t block_bytes) : space(block_bytes), names(space, size_bytes) {}
  DramSpace space;
  uint64_t size_bytes = 0;
  xfslike::DirBlocks names;
};

BlockNames::BlockNames(uint32_t block_bytes) : blocks_(std::make_unique<Blocks>(block_bytes)) {}
BlockNames::~BlockNames() = default;

// Nothing but this class writes the blocks, which are DRAM: an error is a bug of the code, not damage.
Dentry* BlockNames::find(std::string_view name) const {
  if (blocks_->size_bytes == 0) return nullptr;
  const auto found = blocks_->names.lookup(name);
  if (found.ok()) return reinterpret_cast<Dentry*>(found->ino);
  DAXLAB_CHECK(found.code() == Errc::kNotFound);
  return nullptr;
}

void BlockNames::insert(std::string_view name, Dentry* dentry) {
  // "." and ".." are entries of the format; what they lead to is nobody's here.
  if (blocks_->size_bytes == 0) DAXLAB_CHECK(blocks_->names.create(1, 1, {}).ok());
  DAXLAB_CHECK(blocks_->names.insert(name, {reinterpret_cast<uint64_t>(dentry), NodeKind::kFile}).ok());
}

void BlockNames::erase(std::string_view name) { DAXLAB_CHECK(blocks_->names.erase(name).ok()); }

uint64_t BlockNames::dram_bytes() const { return sizeof(Blocks) + blocks_->space.dram_bytes(); }

}  // namespace daxlab::native
