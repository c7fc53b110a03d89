// write(2) to a DAX file, in place: the path of dax_iomap_rw() in fs/dax.c. For engines that overwrite in place under a lock of
// their own (xfslike); the native engine has its own.
//
// A write takes no entry locks: it excludes faults only where a block is new, by removing the zero pages that stand in its place
// ("invalidate after allocate"). Under the exclusive policy the file's lock is held throughout, as before Linux 4.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engines/base/result.h"
#include "engines/dax/address_space.h"

namespace daxlab::dax {

/// Streams `data` to [offset, offset + size) of the file behind `source`, allocating where there are holes; all of it or an
/// error, after which a prefix may have been written. Durable after the caller's next fence. The caller holds its lock that
/// excludes other writers, none that PageSource::begin takes, and has made `data` safe to read (SourceBuffer). The size of the
/// file is the caller's business: pages beyond page_limit() are written.
Result<void> write(AddressSpace& space, PageSource& source, uint64_t offset, std::span<const std::byte> data);

}  // namespace daxlab::dax
