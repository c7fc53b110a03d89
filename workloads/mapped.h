// Loads and stores of one word through a user mapping, and the order in which a thread touches pages.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engines/api/engine.h"
#include "workloads/workload.h"

namespace daxlab {

/// A mapping as a worker holds it. Through data() where there are page tables, so that a touch is one instruction and its fault.
class MappedFile {
 public:
  /// Maps [offset, offset + size_bytes), dropping what was mapped before: no page of the new mapping is present.
  Result<void> map(File& file, uint64_t offset, uint64_t size_bytes, bool writable) {
    mapping_.reset();
    DAXLAB_ASSIGN(mapping_, file.map(offset, size_bytes, writable));
    data_ = mapping_->data();
    return {};
  }
  void unmap() {
    mapping_.reset();
    data_ = nullptr;
  }
  Mapping& mapping() { return *mapping_; }

  Result<void> store_word(uint64_t offset, uint64_t value) {
    if (data_ == nullptr) return mapping_->store(offset, std::as_bytes(std::span(&value, 1)));
    __atomic_store_n(reinterpret_cast<uint64_t*>(data_ + offset), value, __ATOMIC_RELAXED);
    return {};
  }
  Result<uint64_t> load_word(uint64_t offset) {
    if (data_ != nullptr) return __atomic_load_n(reinterpret_cast<const uint64_t*>(data_ + offset), __ATOMIC_RELAXED);
    uint64_t value = 0;
    DAXLAB_TRY(mapping_->load(offset, std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }

 private:
  std::unique_ptr<Mapping> mapping_;
  std::byte* data_ = nullptr;
};

/// Pages 0 to count-1, each once: in order, or in an order that depends on the seed alone.
std::vector<uint32_t> page_order(bool random, uint64_t count, uint64_t seed);

namespace axes {
AxisSpec access();  ///< write, read: what a touch of a mapped page is.
}

}  // namespace daxlab
