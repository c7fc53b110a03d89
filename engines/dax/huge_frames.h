// Which 2 MiB pieces of a region's file are backed by one huge page: only there can a 2 MiB entry be installed.
#pragma once

#include <vector>

#include "engines/pmem/region.h"

namespace daxlab::dax {

/// By 2 MiB of the file, asked of the kernel once through the region's own mapping (PAGEMAP_SCAN, Linux >= 6.7). All false, or
/// empty, where it cannot say. Touches one byte of each piece, so that the region's mapping has an entry to look at.
std::vector<bool> find_huge_frames(const pmem::Region& region);

}  // namespace daxlab::dax
