// A TreeSpace in memory for tests and benchmarks of what lies over MetadataBytes: objects by address, what would have been logged, and
// the ways in which a real one fails.
//
// It watches the rules: an object is not given back twice, not removed while in use, not written when it was got for reading.
// Pieces: with `piece_bytes` a read that crosses a multiple of it is gathered, as of blocks that are not contiguous.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engines/base/check.h"
#include "engines/xfslike/btree.h"

namespace daxlab::xfslike::testing {

inline constexpr uint32_t kChunkBytes = 128;

class FakeSpace : public TreeSpace {
 public:
  explicit FakeSpace(uint32_t block_bytes, uint32_t piece_bytes = 0) : block_bytes_(block_bytes), piece_bytes_(piece_bytes) {}

  class Object : public MetadataBytes {
   public:
    Object(FakeSpace& space, uint64_t address) : space_(space), address_(address), data_(space.block_bytes_), logged_(data_.size() / kChunkBytes) {}
    uint32_t size_bytes() const override { return static_cast<uint32_t>(data_.size()); }
    const std::byte* read(uint32_t offset, uint32_t size, std::byte* scratch) const override {
      DAXLAB_CHECK(users_ > 0 && offset <= data_.size() && size <= data_.size() - offset);
      const uint32_t piece = space_.piece_bytes_;
      if (piece == 0 || size == 0 || offset / piece == (offset + size - 1) / piece) return data_.data() + offset;
      std::memcpy(scratch, data_.data() + offset, size);
      return scratch;
    }
    void write(uint32_t offset, const void* from, uint32_t size) override {
      mark(offset, size);
      std::memcpy(data_.data() + offset, from, size);
    }
    void move(uint32_t to, uint32_t from, uint32_t size) override {
      if (space_.piece_bytes_ != 0) return MetadataBytes::move(to, from, size);
      if (size == 0) return;
      DAXLAB_CHECK(from <= data_.size() && size <= data_.size() - from);
      mark(to, size);
      std::memmove(data_.data() + to, data_.data() + from, size);
    }
    std::vector<std::byte>& data() { return data_; }
    uint64_t address() const { return address_; }

   private:
    friend class FakeSpace;
    void mark(uint32_t offset, uint32_t size) {
      DAXLAB_CHECK(writers_ > 0 && offset <= data_.size() && size <= data_.size() - offset);
      if (size == 0) return;
      for (uint32_t chunk = offset / kChunkBytes; chunk <= (offset + size - 1) / kChunkBytes; ++chunk) {
        if (logged_[chunk] == space_.epoch_) continue;
        logged_[chunk] = space_.epoch_;
        space_.logged_bytes_ += kChunkBytes;
      }
    }
    FakeSpace& space_;
    const uint64_t address_;
    std::vector<std::byte> data_;
    std::vector<uint64_t> logged_;
    uint32_t users_ = 0;
    uint32_t writers_ = 0;
  };

  uint32_t block_bytes() const override { return block_bytes_; }
  Result<MetadataRef> get(uint64_t address, Access access) override {
    ++gets_;
    const auto found = objects_.find(address);
    if (found == objects_.end()) return Errc::kNotFound;
    return use(*found->second, access);
  }
  Result<MetadataRef> add(uint64_t address) override {
    if (adds_left_ == 0) return Errc::kNoSpace;
    DAXLAB_CHECK(!objects_.contains(address));
    --adds_left_;
    ++added_;
    auto& object = objects_[address];
    object = std::make_unique<Object>(*this, address);
    order_[address] = object.get();
    return use(*object, Access::kWrite);
  }
  Result<void> remove(uint64_t address) override {
    const auto found = objects_.find(address);
    if (found == objects_.end()) return Errc::kNotFound;
    DAXLAB_CHECK(found->second->users_ == 0);
    order_.erase(address);
    objects_.erase(found);
    ++removed_;
    return {};
  }
  Result<uint64_t> next(uint64_t address) override {
    const auto found = order_.lower_bound(address);
    if (found == order_.end()) return Errc::kNotFound;
    return found->first;
  }
  Result<uint64_t> unused(uint64_t address) override {
    for (auto at = order_.lower_bound(address); at != order_.end() && at->first == address; ++at) ++address;
    return address;
  }
  Result<uint64_t> allocate() override { return next_node_++; }

  Object* object(uint64_t address) {
    const auto found = objects_.find(address);
    return found == objects_.end() ? nullptr : found->second.get();
  }
  const std::map<uint64_t, Object*>& objects() const { return order_; }
  bool any_in_use() const {
    for (const auto& [address, object] : order_) {
      if (object->users_ != 0) return true;
    }
    return false;
  }

  /// Bytes of the 128-byte chunks written since the last call: what a transaction (or a checkpoint) logs of them.
  uint64_t take_logged_bytes() {
    const uint64_t bytes = logged_bytes_;
    logged_bytes_ = 0;
    ++epoch_;
    return bytes;
  }
  void limit_adds(uint64_t adds) { adds_left_ = adds; }
  uint64_t added() const { return added_; }
  uint64_t removed() const { return removed_; }
  uint64_t gets() const { return gets_; }

 private:
  MetadataRef use(Object& object, Access access) {
    // A reader that waits for itself as a writer would wait forever.
    DAXLAB_CHECK(access == Access::kRead ? object.writers_ == 0 : object.users_ == object.writers_);
    ++object.users_;
    if (access == Access::kRead) return {&object, [](MetadataBytes* bytes) { --static_cast<Object*>(bytes)->users_; }};
    ++object.writers_;
    return {&object, [](MetadataBytes* bytes) {
              --static_cast<Object*>(bytes)->users_;
              --static_cast<Object*>(bytes)->writers_;
            }};
  }

  const uint32_t block_bytes_;
  const uint32_t piece_bytes_;
  std::unordered_map<uint64_t, std::unique_ptr<Object>> objects_;
  std::map<uint64_t, Object*> order_;
  uint64_t epoch_ = 1;
  uint64_t logged_bytes_ = 0;
  uint64_t adds_left_ = UINT64_MAX;
  uint64_t added_ = 0;
  uint64_t removed_ = 0;
  uint64_t gets_ = 0;
  uint64_t next_node_ = 1;
};

}  // namespace daxlab::xfslike::testing
