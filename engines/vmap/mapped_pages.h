// What the two mappings of this folder share: which blocks an object has, and their struct pages held while it is mapped.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engines/pmem/region.h"
#include "engines/vmap/frame_table.h"
#include "engines/xfslike/buffer_mapping.h"

namespace daxlab::vmap {

inline uint32_t pages_of(std::span<const xfslike::BlockRun> runs) {
  uint32_t pages = 0;
  for (const xfslike::BlockRun& run : runs) pages += run.count;
  return pages;
}

/// A reference on the struct page of every block of an object, as the page array of a buffer holds.
class HeldPages {
 public:
  /// kNotSupported where a block has no struct page.
  static Result<HeldPages> hold(FrameTable& frames, std::span<const xfslike::BlockRun> runs) {
    DAXLAB_TRY(frames.require(runs));
    HeldPages held(frames, runs);
    for (const xfslike::BlockRun& run : runs)
      for (uint32_t i = 0; i < run.count; ++i) frames.get(run.first + i);
    return held;
  }
  ~HeldPages() {
    if (frames_ == nullptr) return;
    for (const xfslike::BlockRun& run : runs_)
      for (uint32_t i = 0; i < run.count; ++i) frames_->put(run.first + i);
  }
  HeldPages(HeldPages&& from) noexcept : frames_(from.frames_), runs_(std::move(from.runs_)) { from.frames_ = nullptr; }
  HeldPages& operator=(HeldPages&&) = delete;

 private:
  HeldPages(FrameTable& frames, std::span<const xfslike::BlockRun> runs) : frames_(&frames), runs_(runs.begin(), runs.end()) {}
  FrameTable* frames_;
  std::vector<xfslike::BlockRun> runs_;
};

/// The modelled CPU that the calling thread runs on: threads are dealt out in turn and stay.
uint32_t cpu_of_thread(uint32_t cpus);

}  // namespace daxlab::vmap
