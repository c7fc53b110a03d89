// api's Mapping over a window of an AddressSpace.
#pragma once

#include <memory>

#include "engines/dax/address_space.h"

namespace daxlab::dax {

class DaxMapping final : public Mapping {
 public:
  /// For AddressSpace::map(), which fills in window() and says established() once faults on it are served.
  DaxMapping(AddressSpace& space, uint64_t size_bytes, std::shared_ptr<void> keep_alive)
      : keep_alive_(std::move(keep_alive)), space_(space), size_bytes_(size_bytes) {}
  ~DaxMapping() override;
  Window& window() { return window_; }
  void established() { established_ = true; }

  std::byte* data() override { return window_.address; }
  uint64_t size_bytes() const override { return size_bytes_; }
  Result<void> load(uint64_t offset, std::span<std::byte> out) override;
  Result<void> store(uint64_t offset, std::span<const std::byte> data) override;
  Result<void> sync(uint64_t offset, uint64_t size_bytes) override;

 private:
  bool contains(uint64_t offset, uint64_t size_bytes) const {
    return offset <= size_bytes_ && size_bytes <= size_bytes_ - offset;
  }

  std::shared_ptr<void> keep_alive_;  // first member: goes last
  AddressSpace& space_;
  const uint64_t size_bytes_;
  Window window_;
  bool established_ = false;
};

}  // namespace daxlab::dax
