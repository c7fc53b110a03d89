// An inode's extents on the medium, following the ExtentMap in DRAM: in the literal area while they fit, else in a B+tree of blocks.
//
// Threads: ilock exclusive, with a transaction that has the inode joined; shared to read.
#pragma once

#include <cstdint>
#include <functional>

#include "engines/base/result.h"
#include "engines/xfslike/extent_map.h"

namespace daxlab::xfslike {

class Inode;
class Transaction;

/// Makes the inode's fork say what the map says after `change`, and logs it.
Result<void> store_extents(Transaction& transaction, Inode& inode, const ExtentMap::Change& change);
/// Blocks that the next store_extents() may take from the reservation.
uint32_t tree_blocks_needed(const Inode& inode);
/// Reads the map of an inode that has a tree.
Result<void> read_extent_tree(Inode& inode);
Result<void> each_extent_tree_node(Inode& inode, const std::function<bool(uint64_t block)>& visit);

}  // namespace daxlab::xfslike
