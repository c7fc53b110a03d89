// Struct pages: 64 bytes for every 4 KiB page of the medium (include/linux/mm_types.h; MAX_STRUCT_PAGE_SIZE,
// drivers/nvdimm/nd.h), with what a map, an unmap, a fault and a pin touch of it: reference count, mapping, index.
//
//   pages=dram      for the whole medium, in memory (ndctl create-namespace --map=mem): 1.56 % of its size
//   pages=pmem      for the whole medium, on blocks of it (--map=dev): as much of its capacity; every touch is a load and a store
//   there pages=metadata  in memory, for groups that hold metadata and no others: what the mail calls for in passing pages=none
//   no descriptor: what needs one is refused (pfn_t_has_page(), include/linux/pfn_t.h until 6.15)
//
// They are not persistent: made anew at every mount, never flushed, nothing in them survives a crash or need be right behind one.
//
// Threads: any. A descriptor's words are atomic; a group is covered once, under a lock, before anything of it is used.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/buffer_mapping.h"
#include "engines/xfslike/frame_descriptors.h"

namespace daxlab::vmap {

enum class Pages : uint8_t { kDram, kPmem, kMetadata, kNone };
const char* name(Pages pages);
Result<Pages> parse_pages(const std::string& text);

/// One struct page: what is used of it, and the rest of its line.
struct alignas(64) PageFrame {
  std::atomic<uint64_t> references;
  std::atomic<uint64_t> mapping;  ///< Whose page it is: an inode number; 0 while nobody has it mapped.
  std::atomic<uint64_t> index;    ///< Which page of it.
  uint64_t flags;
  uint64_t unused[4];
};
static_assert(sizeof(PageFrame) == 64);

class FrameTable final : public xfslike::FrameDescriptors {
 public:
  /// Blocks of the medium that pages=pmem takes for a medium of `blocks`; 0 for the others.
  static uint64_t media_blocks(Pages pages, uint64_t blocks);

  /// Descriptors of all blocks of `region`; with kMetadata of none yet. `home`: media_blocks() blocks that are nobody else's.
  /// What is made is initialised, as memmap_init_zone_device() does before the first use. kNoMemory.
  static Result<std::unique_ptr<FrameTable>> make(pmem::Region& region, Pages pages, uint32_t group_blocks,
                                                  std::span<const xfslike::BlockRun> home = {});
  ~FrameTable() override;

  Pages pages() const { return pages_; }
  bool has_page(uint64_t block) const override { return frame(block) != nullptr; }
  void get(uint64_t block) override;
  void put(uint64_t block) override;
  uint64_t dram_bytes() const override { return dram_bytes_.load(std::memory_order_relaxed); }
  uint64_t media_bytes() const override { return media_bytes_; }

  /// kNotSupported, saying what to do, unless every block of `runs` has a page. With kMetadata the groups of `runs` get theirs:
  /// they are about to hold metadata, or do.
  Result<void> require(std::span<const xfslike::BlockRun> runs);
  /// A fault made `block` page `index` of `mapping` (dax_associate_entry(), fs/dax.c), or the last mapping went (mapping 0).
  void associate(uint64_t block, uint64_t mapping, uint64_t index);

  uint64_t references(uint64_t block) const;
  uint64_t frames() const { return frames_.load(std::memory_order_relaxed); }    ///< Initialised.
  uint64_t touches() const { return touches_.load(std::memory_order_relaxed); }  ///< get, put, associate.
  uint64_t initialised_ns() const { return initialised_ns_; }                    ///< By make().

 private:
  struct Freed {
    void operator()(PageFrame* frames) const;
  };
  using Frames = std::unique_ptr<PageFrame, Freed>;

  FrameTable(Pages pages, uint64_t blocks, uint32_t group_blocks);
  Result<void> lay_on_media(pmem::Region& region, std::span<const xfslike::BlockRun> home);
  Result<void> cover(uint64_t group);
  PageFrame* frame(uint64_t block) const;
  void touch(uint64_t block, uint64_t stored_bytes);

  const Pages pages_;
  const uint64_t blocks_;
  const uint64_t part_blocks_;  ///< Blocks whose descriptors lie in one piece.
  const std::unique_ptr<std::atomic<PageFrame*>[]> parts_;
  Mutex cover_mutex_;
  std::vector<Frames> owned_ DAXLAB_GUARDED_BY(cover_mutex_);
  std::atomic<uint64_t> dram_bytes_{0}, frames_{0};
  std::atomic<uint64_t> touches_{0};
  uint64_t media_bytes_ = 0;
  uint64_t initialised_ns_ = 0;
};

}  // namespace daxlab::vmap
