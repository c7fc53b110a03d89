#include "workloads/progress.h"

namespace daxlab {

Result<void> check_appended(File& file, const Content& content, uint64_t number, const AppendProgress& progress,
                            uint64_t stride) {
  DAXLAB_TRY(check_size(file, number, progress.in_file * content.block_bytes()));
  const uint64_t run = stride == 1 ? progress.in_file : 1;
  std::vector<uint64_t> versions(run);
  for (uint64_t block = 0; block < progress.in_file; block += stride == 1 ? run : stride) {
    for (uint64_t i = 0; i < run; ++i) versions[i] = progress.appends - progress.in_file + block + i + 1;
    DAXLAB_TRY(check_part(file, content, {number, block, run}, versions));
  }
  return {};
}

std::vector<uint64_t> versions_after(const OverwriteProgress& progress, bool random, uint64_t blocks) {
  std::vector<uint64_t> versions(blocks, 0);
  BlockOrder order(random, blocks, progress.seed);
  for (uint64_t write = 1; write <= progress.writes; ++write) versions[order.next()] = write;
  return versions;
}

}  // namespace daxlab
