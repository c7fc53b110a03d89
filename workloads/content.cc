#include "workloads/content.h"

#include <fmt/core.h>

#include <algorithm>

#include "engines/base/units.h"

namespace daxlab {

AlignedBuffer::AlignedBuffer(size_t size_bytes)
    : bytes_(static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, align_up(std::max<size_t>(size_bytes, 1), kBlockBytes)))),
      size_bytes_(size_bytes) {
  DAXLAB_CHECK(bytes_ != nullptr);
}

Content::Content(uint64_t seed, uint64_t block_bytes) : seed_(seed), block_bytes_(block_bytes), templates_(2 * block_bytes) {
  DAXLAB_CHECK(block_bytes > 0 && block_bytes % kCacheLineBytes == 0);
  Random generator(Random::mix(seed, block_bytes));
  for (uint64_t at = 0; at < 2 * block_bytes; at += sizeof(uint64_t)) {
    const uint64_t word = generator.next();
    std::memcpy(templates_.data() + at, &word, sizeof(word));
  }
}

void Content::write_block(uint64_t file, uint64_t block, uint64_t version, std::byte* out) const {
  std::memcpy(out, templates_.data() + (version & 1) * block_bytes_, block_bytes_);
  uint64_t tag = tag_of(file, block, version);
  for (uint64_t at = 0; at < block_bytes_; at += kTagEveryBytes, ++tag) std::memcpy(out + at, &tag, sizeof(tag));
}

Result<void> Content::check(uint64_t file, uint64_t block, uint64_t version, std::span<const std::byte> data) const {
  const std::byte* const expected = templates_.data() + (version & 1) * block_bytes_;
  uint64_t tag = tag_of(file, block, version);
  for (uint64_t at = 0; at < block_bytes_; at += kTagEveryBytes, ++tag) {
    const uint64_t piece = std::min(kTagEveryBytes, block_bytes_ - at);
    const bool all_there = data.size() >= at + piece;
    if (all_there && std::memcmp(data.data() + at, &tag, sizeof(tag)) == 0 &&
        std::memcmp(data.data() + at + sizeof(tag), expected + at + sizeof(tag), piece - sizeof(tag)) == 0) {
      continue;
    }
    return Error(Errc::kCorrupt, fmt::format("file {}, block {} of {} bytes: not version {} at byte {} of the block", file, block,
                                             block_bytes_, version, at));
  }
  return {};
}

}  // namespace daxlab
