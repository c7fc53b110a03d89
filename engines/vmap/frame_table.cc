#include "engines/vmap/frame_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "engines/base/check.h"
#include "engines/base/clock.h"
#include "engines/base/counters.h"
#include "engines/base/units.h"

namespace daxlab::vmap {

namespace {

constexpr uint64_t kFramesPerBlock = kBlockBytes / sizeof(PageFrame);
constexpr const char* kNames[] = {"dram", "pmem", "metadata", "none"};

/// init_page_count(), page->mapping = NULL, ...: __init_zone_device_page(), mm/page_alloc.c
void initialise(PageFrame* frames, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) new (frames + i) PageFrame{};
}

uint64_t part_size(Pages pages, uint64_t blocks, uint32_t group_blocks) {
  if (pages == Pages::kMetadata) return group_blocks;
  return pages == Pages::kPmem ? kFramesPerBlock : blocks;
}

}  // namespace

const char* name(Pages pages) { return kNames[static_cast<size_t>(pages)]; }

Result<Pages> parse_pages(const std::string& text) {
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (text == kNames[i]) return static_cast<Pages>(i);
  return Error(Errc::kUsage, fmt::format("pages={}: dram, pmem, metadata or none", text));
}

void FrameTable::Freed::operator()(PageFrame* frames) const { std::free(frames); }

uint64_t FrameTable::media_blocks(Pages pages, uint64_t blocks) {
  return pages == Pages::kPmem ? div_up(blocks, kFramesPerBlock) : 0;
}

FrameTable::FrameTable(Pages pages, uint64_t blocks, uint32_t group_blocks)
    : pages_(pages),
      blocks_(blocks),
      part_blocks_(part_size(pages, blocks, group_blocks)),
      parts_(new std::atomic<PageFrame*>[div_up(blocks, part_blocks_)]()) {}

FrameTable::~FrameTable() = default;

Result<std::unique_ptr<FrameTable>> FrameTable::make(pmem::Region& region, Pages pages, uint32_t group_blocks,
                                                     std::span<const xfslike::BlockRun> home) {
  DAXLAB_CHECK(group_blocks > 0);
  const uint64_t began_ns = monotonic_ns();
  std::unique_ptr<FrameTable> table(new FrameTable(pages, region.block_count(), group_blocks));
  if (pages == Pages::kDram) DAXLAB_TRY(table->cover(0));
  if (pages == Pages::kPmem) DAXLAB_TRY(table->lay_on_media(region, home));
  table->initialised_ns_ = monotonic_ns() - began_ns;
  return table;
}

Result<void> FrameTable::lay_on_media(pmem::Region& region, std::span<const xfslike::BlockRun> home) {
  uint64_t part = 0;
  const uint64_t parts = div_up(blocks_, part_blocks_);
  for (const xfslike::BlockRun& run : home) {
    for (uint32_t i = 0; i < run.count && part < parts; ++i, ++part) {
      auto* const frames = reinterpret_cast<PageFrame*>(region.block_address(run.first + i));
      initialise(frames, kFramesPerBlock);
      count(Counter::stored_bytes, kBlockBytes);
      parts_[part].store(frames, std::memory_order_release);
    }
  }
  if (part < parts)
    return Error(Errc::kNoSpace, fmt::format("pages=pmem needs {} blocks for descriptors and was given {}", parts, part));
  media_bytes_ = parts * kBlockBytes;
  frames_.store(parts * kFramesPerBlock, std::memory_order_relaxed);
  return {};
}

Result<void> FrameTable::cover(uint64_t part) {
  const MutexLock lock(cover_mutex_);
  if (parts_[part].load(std::memory_order_relaxed) != nullptr) return {};
  const uint64_t frames = std::min(part_blocks_, blocks_ - part * part_blocks_);
  Frames made(static_cast<PageFrame*>(std::aligned_alloc(alignof(PageFrame), frames * sizeof(PageFrame))));
  if (made == nullptr) return Error(Errc::kNoMemory, fmt::format("no memory for the descriptors of {} pages", frames));
  initialise(made.get(), frames);
  parts_[part].store(made.get(), std::memory_order_release);
  owned_.push_back(std::move(made));
  dram_bytes_.fetch_add(frames * sizeof(PageFrame), std::memory_order_relaxed);
  frames_.fetch_add(frames, std::memory_order_relaxed);
  return {};
}

PageFrame* FrameTable::frame(uint64_t block) const {
  DAXLAB_DCHECK(block < blocks_);
  PageFrame* const frames = parts_[block / part_blocks_].load(std::memory_order_acquire);
  return frames == nullptr ? nullptr : frames + block % part_blocks_;
}

Result<void> FrameTable::require(std::span<const xfslike::BlockRun> runs) {
  for (const xfslike::BlockRun& run : runs) {
    for (uint64_t block = run.first; block < run.first + run.count;) {
      const uint64_t part = block / part_blocks_;
      if (pages_ == Pages::kNone)
        return Error(
            Errc::kNotSupported,
            fmt::format("block {} has no struct page (pages=none), and vm_map_ram() maps nothing else: pages=dram, pmem or "
                        "metadata; or map=contig or segment, which need none",
                        block));
      if (parts_[part].load(std::memory_order_acquire) == nullptr) DAXLAB_TRY(cover(part));
      block = (part + 1) * part_blocks_;
    }
  }
  return {};
}

void FrameTable::touch(uint64_t block, uint64_t stored_bytes) {
  DAXLAB_DCHECK(block < blocks_);
  static_cast<void>(block);
  touches_.fetch_add(1, std::memory_order_relaxed);
  if (pages_ != Pages::kPmem) return;
  count(Counter::pmem_lines_loaded);
  count(Counter::stored_bytes, stored_bytes);
}

void FrameTable::get(uint64_t block) {
  PageFrame* const page = frame(block);
  DAXLAB_CHECK(page != nullptr);
  page->references.fetch_add(1, std::memory_order_relaxed);
  touch(block, sizeof page->references);
}

void FrameTable::put(uint64_t block) {
  PageFrame* const page = frame(block);
  DAXLAB_CHECK(page != nullptr);
  DAXLAB_CHECK(page->references.fetch_sub(1, std::memory_order_release) > 0);
  touch(block, sizeof page->references);
}

void FrameTable::associate(uint64_t block, uint64_t mapping, uint64_t index) {
  PageFrame* const page = frame(block);
  DAXLAB_CHECK(page != nullptr);
  page->mapping.store(mapping, std::memory_order_relaxed);
  page->index.store(index, std::memory_order_relaxed);
  touch(block, sizeof page->mapping + sizeof page->index);
}

uint64_t FrameTable::references(uint64_t block) const {
  const PageFrame* const page = frame(block);
  return page == nullptr ? 0 : page->references.load(std::memory_order_acquire);
}

}  // namespace daxlab::vmap
