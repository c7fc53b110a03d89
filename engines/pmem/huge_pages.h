// Populating a mapping of DRAM, in 2 MiB pages where the kernel gives them. Inside engines/pmem only.
#pragma once

#include <cstddef>
#include <span>

#include "engines/base/result.h"

namespace daxlab::pmem {

/// Gives every page of a fresh shared mapping a frame and a page table entry: by MADV_COLLAPSE in 2 MiB pages (Linux 6.1; works
/// on a memfd whatever shmem_enabled says), else in 4 KiB pages. kNoMemory when there are not enough frames.
Result<void> populate(std::span<std::byte> bytes);
/// Fills the page table for frames that are there already.
Result<void> map_populated(std::span<std::byte> bytes);
/// Whether /proc/self/smaps says that every whole 2 MiB of `bytes`, a mapping of its own, is mapped by one entry.
bool mapped_huge(std::span<const std::byte> bytes);

}  // namespace daxlab::pmem
