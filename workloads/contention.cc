#include "workloads/contention.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace daxlab {
namespace {

/// passes[faulter][page]: how often the faulter stored its word there.
using StoreCounts = std::vector<std::vector<uint64_t>>;

StoreCounts count_stores(const ContentionLayout& layout, std::span<const FaulterProgress> faulters) {
  StoreCounts counts;
  for (const FaulterProgress& faulter : faulters) {
    std::vector<uint64_t> passes(layout.pages, layout.faulters_store ? faulter.passes : 0);
    const std::vector<uint32_t> order = page_order(true, layout.pages, faulter.seed);
    for (uint64_t i = 0; layout.faulters_store && i < faulter.next; ++i) ++passes[order[i]];
    counts.push_back(std::move(passes));
  }
  return counts;
}

/// Puts into `expected`, the bytes of one block, what faulters may rightly have left in it: their last stores, or, where a writer
/// wrote the line too, any of their stores or none.
void admit_faulters(const ContentionLayout& layout, const StoreCounts& stores, uint64_t block, bool written,
                    std::span<const std::byte> found, std::byte* expected) {
  const uint64_t block_bytes = layout.content.block_bytes();
  const uint64_t begin = block * block_bytes;
  for (uint64_t page = begin / kBlockBytes; page * kBlockBytes < begin + block_bytes; ++page) {
    for (uint32_t faulter = 0; faulter < stores.size(); ++faulter) {
      const uint64_t offset = layout.word_offset(page, faulter);
      if (offset < begin || offset >= begin + block_bytes) continue;
      uint64_t word;
      std::memcpy(&word, found.data() + (offset - begin), sizeof(word));
      for (uint64_t pass = stores[faulter][page]; pass > 0; --pass) {
        const uint64_t stored = layout.word(page, faulter, pass);
        if (layout.separate() || !written || stored == word) {
          std::memcpy(expected + (offset - begin), &stored, sizeof(stored));
          break;
        }
      }
    }
  }
}

}  // namespace

ContentionLayout::ContentionLayout(const Params& params, uint64_t seed)
    : faulters(static_cast<uint32_t>(params.integer("faulters"))),
      writers(static_cast<uint32_t>(params.integer("writers"))),
      faulters_store(params.is("access", "write")),
      pages(params.integer("file_size") / kBlockBytes),
      blocks(params.integer("file_size") / params.integer("block_bytes")),
      blocks_per_page(std::max<uint64_t>(1, kBlockBytes / params.integer("block_bytes"))),
      content(seed, params.integer("block_bytes")) {}

Result<void> check_contended(File& file, const ContentionLayout& layout, std::span<const FaulterProgress> faulters,
                             std::span<const OverwriteProgress> writers) {
  const uint64_t block_bytes = layout.content.block_bytes();
  DAXLAB_TRY(check_size(file, 0, layout.blocks * block_bytes));
  const StoreCounts stores = count_stores(layout, faulters);
  std::vector<std::vector<uint64_t>> versions;
  for (const OverwriteProgress& writer : writers) {
    std::vector<uint64_t> by_block(layout.blocks, 0);
    const std::vector<uint64_t> by_slot = versions_after(writer, true, layout.slots());
    for (uint64_t slot = 0; slot < by_slot.size(); ++slot) by_block[layout.block_of_slot(slot)] = by_slot[slot];
    versions.push_back(std::move(by_block));
  }

  AlignedBuffer found(block_bytes);
  AlignedBuffer expected(block_bytes);
  for (uint64_t block = 0; block < layout.blocks; ++block) {
    DAXLAB_ASSIGN(const size_t count, file.read(block * block_bytes, found.span()));
    const auto matches = [&](uint64_t id, uint64_t version) {
      layout.content.write_block(id, block, version, expected.data());
      admit_faulters(layout, stores, block, id != 0, found.span(), expected.data());
      return count == block_bytes && std::memcmp(found.data(), expected.data(), block_bytes) == 0;
    };
    bool written = false;
    bool right = false;
    for (uint32_t writer = 0; writer < versions.size() && !right; ++writer) {
      if (versions[writer][block] == 0) continue;
      written = true;
      right = matches(ContentionLayout::writer_id(writer), versions[writer][block]);
    }
    if (!right && (written || !matches(0, 0))) {
      return Error(Errc::kCorrupt,
                   fmt::format("block {} of {} bytes: neither a writer's last bytes nor a faulter's", block, block_bytes));
    }
  }
  return {};
}

}  // namespace daxlab
