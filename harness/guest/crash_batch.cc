#include "harness/guest/crash_batch.h"

#include <algorithm>
#include <cstring>

#include "engines/base/units.h"
#include "engines/crash/op.h"

namespace daxlab::harness {
namespace {

constexpr uint64_t kMagic = 0x31484354'41425844;  // "DXBATCH1"
constexpr uint64_t kForeignContent = 0xf0f0;
constexpr uint64_t kZeroPage = uint64_t{1} << 63;  // beside a page's offset: it is all zero, and its bytes are left out
constexpr uint64_t kEnd = UINT64_MAX;

Error damaged() { return {Errc::kCorrupt, "the batch of crash images is damaged"}; }

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

bool alike(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::vector<std::byte> foreign_bytes(size_t size_bytes) {
  std::vector<std::byte> bytes(size_bytes);
  crash::fill_content(kForeignContent, 0, bytes);
  return bytes;
}

void BatchWriter::put(uint64_t word) { put(std::as_bytes(std::span(&word, 1))); }

void BatchWriter::put(std::span<const std::byte> bytes) { file_.insert(file_.end(), bytes.begin(), bytes.end()); }

BatchWriter::BatchWriter(std::span<const std::byte> base) : last_(base.begin(), base.end()) {
  put(kMagic);
  put(base.size());
  const std::vector<std::byte> foreign = foreign_bytes(base.size());
  for (uint64_t at = 0; at < base.size(); at += kBlockBytes) {
    const auto page = base.subspan(at, std::min<uint64_t>(kBlockBytes, base.size() - at));
    if (alike(page, std::span(foreign).subspan(at, page.size()))) continue;
    const bool zero = is_zero(page);
    put(at | (zero ? kZeroPage : 0));
    if (!zero) put(page);
  }
  put(kEnd);
}

void BatchWriter::add(const BatchImage& image, std::span<const std::byte> bytes) {
  ++count_;
  put(image.id.size());
  put(std::as_bytes(std::span(image.id)));
  put(image.point.finished);
  put(image.point.under_way ? 1 : 0);
  for (uint64_t page = 0; page < bytes.size(); page += kBlockBytes) {
    const uint64_t end = std::min<uint64_t>(page + kBlockBytes, bytes.size());
    if (alike(bytes.subspan(page, end - page), std::span(last_).subspan(page, end - page))) continue;
    for (uint64_t at = page; at < end; at += kCacheLineBytes) {
      const auto line = bytes.subspan(at, std::min<uint64_t>(kCacheLineBytes, end - at));
      if (alike(line, std::span(last_).subspan(at, line.size()))) continue;
      put(at);
      put(line);
    }
    std::memcpy(last_.data() + page, bytes.data() + page, end - page);
  }
  put(kEnd);
}

Result<uint64_t> BatchReader::take_word() {
  DAXLAB_ASSIGN(const auto bytes, take(sizeof(uint64_t)));
  uint64_t word = 0;
  std::memcpy(&word, bytes.data(), sizeof(word));
  return word;
}

Result<std::span<const std::byte>> BatchReader::take(size_t size_bytes) {
  if (left_.size() < size_bytes) return damaged();
  const auto taken = left_.first(size_bytes);
  left_ = left_.subspan(size_bytes);
  return taken;
}

Result<void> BatchReader::read_base() {
  for (;;) {
    DAXLAB_ASSIGN(const uint64_t word, take_word());
    if (word == kEnd) return {};
    const uint64_t at = word & ~kZeroPage;
    if (at >= bytes_.size()) return damaged();
    const size_t size = std::min<uint64_t>(kBlockBytes, bytes_.size() - at);
    if ((word & kZeroPage) != 0) {
      std::memset(bytes_.data() + at, 0, size);
      continue;
    }
    DAXLAB_ASSIGN(const auto page, take(size));
    std::memcpy(bytes_.data() + at, page.data(), size);
  }
}

void BatchReader::make_room(size_t size_bytes) {
  storage_.resize(size_bytes + kBlockBytes);
  const auto address = reinterpret_cast<uintptr_t>(storage_.data());
  bytes_ = std::span(storage_).subspan(align_up(address, kBlockBytes) - address, size_bytes);
  crash::fill_content(kForeignContent, 0, bytes_);
}

Result<BatchReader> BatchReader::open(std::span<const std::byte> file) {
  BatchReader reader(file);
  DAXLAB_ASSIGN(const uint64_t magic, reader.take_word());
  DAXLAB_ASSIGN(const uint64_t size, reader.take_word());
  if (magic != kMagic || size > 4 * kGiB) return damaged();
  reader.make_room(size);
  DAXLAB_TRY(reader.read_base());
  return reader;
}

Result<std::optional<BatchImage>> BatchReader::next() {
  if (left_.empty()) return std::optional<BatchImage>();
  BatchImage image;
  DAXLAB_ASSIGN(const uint64_t id_bytes, take_word());
  DAXLAB_ASSIGN(const auto id, take(id_bytes));
  image.id.assign(reinterpret_cast<const char*>(id.data()), id.size());
  DAXLAB_ASSIGN(image.point.finished, take_word());
  DAXLAB_ASSIGN(const uint64_t under_way, take_word());
  image.point.under_way = under_way != 0;
  for (;;) {
    DAXLAB_ASSIGN(const uint64_t at, take_word());
    if (at == kEnd) return std::optional<BatchImage>(std::move(image));
    if (at >= bytes_.size()) return damaged();
    DAXLAB_ASSIGN(const auto line, take(std::min<uint64_t>(kCacheLineBytes, bytes_.size() - at)));
    std::memcpy(bytes_.data() + at, line.data(), line.size());
  }
}

}  // namespace daxlab::harness
