// A region: the medium an engine formats, mapped through libpmem2, and the one way to address it.
//
// The label (label.h) comes first, in label_area_bytes(size) of its own; the rest are blocks, numbered from 0 by the geometry. A
// Region outlives every Engine on it. Thread-safe after open. Real pmem is told from emulated by libpmem2's store granularity: a
// file or memfd on DRAM needs page granularity by libpmem2's own judgement, and is then mapped with granularity forced, which is
// recorded (MediaClass::kEmulated) and named in every figure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engines/base/result.h"
#include "engines/pmem/geometry.h"
#include "engines/pmem/media_spec.h"

namespace daxlab::pmem {

enum class MediaClass : uint8_t { kReal, kEmulated, kGuest };
const char* name(MediaClass media_class);

/// What the label occupies in front of block 0, a pure function of the medium's size: one block on media below 64 MiB; 2 MiB from
/// there on, so that block 0 lies on a 2 MiB boundary of the medium and of the mapping.
constexpr uint64_t label_area_bytes(uint64_t size_bytes) { return size_bytes >= 64 * kMiB ? kHugeBytes : kBlockBytes; }

class Region {
 public:
  /// Opens or creates the medium: dram makes a memfd of 2 MiB pages where the kernel allows, file creates or extends a file that
  /// is too small, devdax must exist. Errors: kUsage (spec), kIo with the path and the system's words, kNoSpace. A memfd is made
  /// close-on-exec; a parent that hands it to a child by exec() clears that flag or duplicates it.
  static Result<std::unique_ptr<Region>> open(const MediaSpec& spec);
  /// Adopts a memfd that another process populated (a cell's child process). The descriptor is duplicated.
  static Result<std::unique_ptr<Region>> adopt(int fd, const MediaSpec& spec);
  /// A private in-memory region for tests: linear unless `run` says otherwise.
  static Result<std::unique_ptr<Region>> for_test(uint64_t size_bytes, const RunSpec& run = {}, uint64_t seed = 1);

  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  const MediaSpec& spec() const { return spec_; }
  MediaClass media_class() const { return media_class_; }
  /// Whether the kernel maps all of it by 2 MiB entries (as /proc/self/smaps says). False costs TLB misses, nothing else.
  bool huge_pages() const { return huge_pages_; }
  const Geometry& geometry() const { return geometry_; }
  uint64_t block_count() const { return geometry_.block_count(); }
  uint64_t size_bytes() const { return size_bytes_; }

  /// As dax_direct_access(): where block `block` lies and how many of `count` blocks follow it contiguously.
  struct DirectRange {
    std::byte* address;
    uint64_t block_count;
  };
  DirectRange direct_access(BlockIndex block, uint64_t count) const {
    if (DAXLAB_LIKELY(linear_)) return {blocks_ + block * kBlockBytes, count};
    const Placement placement = geometry_.place(block, count);
    return {blocks_ + placement.offset_bytes, placement.block_count};
  }
  /// The address of one block.
  std::byte* block_address(BlockIndex block) const { return direct_access(block, 1).address; }

  /// The whole mapping, label included: for the recorder, crash images and tests. An engine uses direct_access().
  std::span<std::byte> bytes() const { return {base_, size_bytes_}; }
  std::span<std::byte> label_bytes() const { return {base_, kBlockBytes}; }

  /// For page tables: the descriptor behind the mapping and an address's offset in it; fd is -1 where windows of
  /// 4 KiB are impossible (devdax).
  int fd() const { return fd_; }
  uint64_t file_offset(const std::byte* address) const { return static_cast<uint64_t>(address - base_); }

 private:
  Region() = default;
  MediaSpec spec_;
  MediaClass media_class_ = MediaClass::kEmulated;
  Geometry geometry_;
  std::byte* base_ = nullptr;
  std::byte* blocks_ = nullptr;  // base_ + label_area_bytes(); geometry offsets count from here
  uint64_t size_bytes_ = 0;
  int fd_ = -1;
  bool linear_ = true;
  bool huge_pages_ = false;
  struct Mapping;  // libpmem2's handles and the descriptor, closed with it
  static Result<std::unique_ptr<Region>> make(const MediaSpec& spec, std::unique_ptr<Mapping> mapping);
  std::unique_ptr<Mapping> mapping_;
};

}  // namespace daxlab::pmem
