#include "engines/native/file_system.h"

#include "engines/base/check.h"
#include "engines/native/mapped.h"

namespace daxlab::native {

Inode::~Inode() { delete mapped.load(std::memory_order_relaxed); }

namespace {

void free_data(Volume& volume, Inode& inode) {
  const uint32_t spare = inode.spare_data_block.load(std::memory_order_acquire);
  if (spare != 0) volume.allocator.free({spare, 1});
  for (uint64_t page = inode.data.next_mapped(0, kFilePagesMax); page < kFilePagesMax;) {
    const uint32_t block = inode.data.get(page).block;
    const auto pages = static_cast<uint32_t>(inode.data.run(page, Allocator::kGroupBlocks));
    volume.allocator.free({block, pages});
    page = inode.data.next_mapped(page + pages, kFilePagesMax);
  }
}

void free_log(Volume& volume, Inode& inode) {
  if (inode.log.spare_block != 0) volume.allocator.free({inode.log.spare_block, 1});
  for (uint32_t block = inode.log.head_block; block != 0;) {
    const uint32_t next = volume.log_pages[block].next;
    volume.log_pages[block] = {0, 0};
    volume.allocator.free({block, 1});
    block = next;
  }
}

}  // namespace

void FileSystem::release(Inode& inode, uint64_t references) {
  if (!InodeTable::drop(inode, references)) return;
  free_data(volume, inode);
  free_log(volume, inode);
  table.remove(inode);
}

void FileSystem::drop_link(Inode& inode, uint32_t links) {
  const uint32_t before = inode.links.fetch_sub(links, std::memory_order_acq_rel);
  DAXLAB_CHECK(before >= links);
  if (before == links) release(inode);
}

}  // namespace daxlab::native
