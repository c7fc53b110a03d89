// Crash images on their way into a guest: one file of many images, each as what differs from the one before it.
//
// The file of a batch: a header; the pages of the first image that are not foreign bytes (foreign_bytes(), which both sides make); then
// images. Integers are little-endian 64-bit words. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engines/base/result.h"
#include "engines/crash/oracle.h"

namespace daxlab::harness {

/// What an earlier use left on the medium: whoever takes fresh space for zeroed shows it.
std::vector<std::byte> foreign_bytes(size_t size_bytes);

/// One image: where the crash was, and how it is called (pmem/crash_images.h).
struct BatchImage {
  std::string id;
  crash::CrashPoint point;
};

class BatchWriter {
 public:
  /// `base` is what the images differ from at first.
  explicit BatchWriter(std::span<const std::byte> base);
  /// The image that `bytes` holds.
  void add(const BatchImage& image, std::span<const std::byte> bytes);
  uint64_t count() const { return count_; }
  const std::vector<std::byte>& file() const { return file_; }

 private:
  void put(uint64_t word);
  void put(std::span<const std::byte> bytes);
  std::vector<std::byte> file_;
  std::vector<std::byte> last_;  // the image before
  uint64_t count_ = 0;
};

class BatchReader {
 public:
  /// Borrows `file`. kCorrupt.
  static Result<BatchReader> open(std::span<const std::byte> file);
  /// Makes bytes() the next image; empty after the last. kCorrupt.
  Result<std::optional<BatchImage>> next();
  /// On a page boundary, as direct writes want it.
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit BatchReader(std::span<const std::byte> file) : left_(file) {}
  void make_room(size_t size_bytes);
  Result<uint64_t> take_word();
  Result<std::span<const std::byte>> take(size_t size_bytes);
  Result<void> read_base();
  std::span<const std::byte> left_;
  std::vector<std::byte> storage_;
  std::span<std::byte> bytes_;  // of storage_
};

}  // namespace daxlab::harness
