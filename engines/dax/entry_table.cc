#include "engines/dax/entry_table.h"

#include <algorithm>
#include <bit>

namespace daxlab::dax {

Result<void> EntryTable::cover(uint64_t first_page, uint64_t page_count) {
  const uint64_t first = first_page / kHugePages;
  const uint64_t end = div_up(first_page + page_count, kHugePages);
  Directory* directory = directory_.load(std::memory_order_relaxed);
  if (directory == nullptr || directory->chunk_count < end) {
    auto larger = std::make_unique<Directory>(std::bit_ceil(end));
    for (uint64_t i = 0; directory != nullptr && i < directory->chunk_count; ++i) {
      larger->chunks[i].store(directory->chunks[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    directory = larger.get();
    directories_.push_back(std::move(larger));
    directory_.store(directory, std::memory_order_release);
  }
  for (uint64_t i = first; i < end; ++i) {
    if (directory->chunks[i].load(std::memory_order_relaxed) != nullptr) continue;
    chunks_.push_back(std::make_unique<Chunk>());
    directory->chunks[i].store(chunks_.back().get(), std::memory_order_release);
  }
  return {};
}

}  // namespace daxlab::dax
