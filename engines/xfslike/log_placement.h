// Where log bytes go and how they are addressed, in both directions: the first part that arms exchange.
//
//   log=buffered (here)           an iclog is a DRAM buffer, streamed to the medium when it is full or forced
//   log=direct (engines/retrofit) an iclog is a stretch of the medium, reached by a segment cursor; stamps while copying
//   log=premap, at-write (vmap)   the same through a mapping
//
// What a record looks like is the core's (record_format.h); a placement decides when bytes are copied, stamped, summed and made
// durable. The log is a ring of basic blocks of 512 bytes, numbered from 0; a record begins at any of them and may wrap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "engines/xfslike/log_config.h"
#include "engines/xfslike/record_format.h"

namespace daxlab::xfslike {

/// Where a writer is in its part of a record. Several fill one iclog beside each other, so what a placement keeps from one copy to
/// the next is the writer's: a fresh one for each part, at_bytes and begin_bytes set to where it begins.
struct IclogCursor {
  uint32_t begin_bytes = 0;  ///< Of the part, in the payload.
  uint32_t at_bytes = 0;     ///< Where the next copy goes.
  // The placement's.
  uint32_t crc = 0;      // of what was copied, stamped
  uint32_t segment = 0;  // that at_bytes lies in, once `placed`
  bool placed = false;
};

/// One iclog's bytes, used for one record after another. Made at mount: nothing below allocates or waits for memory.
///
/// Threads: begin() and write() are called by one thread at a time, with no copy() running; copy() and settle() by any number of
/// writers beside each other, each on its own range.
class IclogSpace {
 public:
  virtual ~IclogSpace() = default;
  /// The next record begins at `lsn`. Called under the log's lock, where nobody may wait: an address is given out here.
  virtual void begin(Lsn lsn) = 0;
  /// Payload bytes [cursor.at_bytes, + size), a multiple of 4, behind what the record's headers take; moves the cursor. `from` stays
  /// valid until write() has returned.
  virtual void copy(IclogCursor& cursor, const std::byte* from, uint32_t size_bytes) = 0;
  /// This writer has copied all of its part. What only its own fence can make durable is durable when this returns, unless
  /// `writes_next` says that nobody but this thread can call write() now, and that it does so next.
  virtual void settle(IclogCursor& cursor, bool writes_next) = 0;
  /// The record is complete: pads the payload with zeroes from draft.payload_bytes to draft.padded_bytes, stamps, sums, and
  /// writes. Durable when it returns; until then a crash leaves a record that does not verify, whatever part of it is there.
  virtual void write(const RecordDraft& draft) = 0;
};

class LogPlacement {
 public:
  virtual ~LogPlacement() = default;
  virtual const char* name() const = 0;
  /// Size of the ring. A multiple of lsunit.
  virtual uint32_t blocks() const = 0;

  /// kNotSupported, kNoSpace (address space): a placement that cannot do this configuration.
  virtual Result<std::unique_ptr<IclogSpace>> make_iclog(const LogConfig& config) = 0;

  /// Recovery's way: `count` blocks from `block`, not over the end. Counted loads.
  virtual void read(uint32_t block, uint32_t count, std::byte* to) const = 0;
  /// `count` blocks from `block`, not over the end; durable after sync(). For mkfs, and for what recovery clears.
  virtual void write(uint32_t block, uint32_t count, const std::byte* from) = 0;
  virtual void sync() = 0;

  virtual uint64_t dram_bytes() const { return 0; }
};

}  // namespace daxlab::xfslike
