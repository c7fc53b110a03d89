// What workloads write: bytes that say which file, block and version they are, cheap to make inside a measured step.
//
// A block is one of two random templates (by the version's parity, so that a mixture of two successive versions shows), and each
// 512 bytes of it begin with a tag that only this (file, block, version, position) has. Making a block is one hash and one
// 8-byte store per 512 bytes. Templates and tags depend on the seed alone: any Content of equal seed and block size can check.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "engines/base/random.h"
#include "engines/base/result.h"

namespace daxlab {

/// Bytes at a page boundary, as a buffer of a careful program would be.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(size_t size_bytes);
  std::byte* data() { return bytes_.get(); }
  const std::byte* data() const { return bytes_.get(); }
  size_t size_bytes() const { return size_bytes_; }
  std::span<std::byte> span() { return {bytes_.get(), size_bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
  size_t size_bytes_;
};

class Content {
 public:
  static constexpr uint64_t kTagEveryBytes = 512;

  /// `block_bytes` is a multiple of 64.
  Content(uint64_t seed, uint64_t block_bytes);

  uint64_t block_bytes() const { return block_bytes_; }

  /// The bytes of one version of a block; valid until the next call.
  std::span<const std::byte> block(uint64_t file, uint64_t block, uint64_t version) {
    std::byte* const out = templates_.data() + (version & 1) * block_bytes_;
    uint64_t tag = tag_of(file, block, version);
    for (uint64_t at = 0; at < block_bytes_; at += kTagEveryBytes, ++tag) std::memcpy(out + at, &tag, sizeof(tag));
    return {out, block_bytes_};
  }
  /// The same into `out`, for filling many blocks at a time.
  void write_block(uint64_t file, uint64_t block, uint64_t version, std::byte* out) const;

  /// The first 8 bytes of a block: enough to tell a wrong block from the right one inside a step.
  uint64_t tag_of(uint64_t file, uint64_t block, uint64_t version) const {
    return Random::mix(seed_ + file * 0x9e3779b97f4a7c15u + block * 0xc2b2ae3d27d4eb4fu, version);
  }
  /// kCorrupt says at which byte `data` first differs from what the block should hold.
  Result<void> check(uint64_t file, uint64_t block, uint64_t version, std::span<const std::byte> data) const;

 private:
  uint64_t seed_;
  uint64_t block_bytes_;
  AlignedBuffer templates_;  // one for even versions, one for odd
};

}  // namespace daxlab
