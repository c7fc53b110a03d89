#include "engines/xfslike/log_writer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "engines/base/check.h"

namespace daxlab::xfslike {

void LogWriter::put_part() { ring_.put_space(std::exchange(part_, {}), cursor_, std::exchange(ops_, 0), &ticket_); }

Result<void> LogWriter::next_part(uint64_t size_bytes) {
  if (part_.iclog != nullptr) put_part();
  DAXLAB_ASSIGN(part_, ring_.get_space(static_cast<uint32_t>(std::min<uint64_t>(size_bytes, UINT32_MAX)), ticket_));
  cursor_ = {};
  cursor_.begin_bytes = cursor_.at_bytes = part_.offset_bytes;
  return {};
}

Result<void> LogWriter::begin(uint64_t total_bytes, const std::function<void(Iclog&)>& first) {
  remaining_bytes_ = total_bytes;
  DAXLAB_TRY(next_part(total_bytes));
  if (first) first(*part_.iclog);
  return {};
}

void LogWriter::copy(const std::byte* from, uint32_t size_bytes) {
  part_.iclog->space->copy(cursor_, from, size_bytes);
  ticket_.left_ -= size_bytes;
}

Result<void> LogWriter::add(const LogPiece& piece) {
  std::memcpy(piece.header + offsetof(OpHeaderDisk, checkpoint), &checkpoint_, sizeof checkpoint_);
  if (DAXLAB_UNLIKELY(piece.size_bytes > left())) return add_cut(piece);
  copy(piece.header, piece.size_bytes);
  remaining_bytes_ -= piece.size_bytes;
  ++ops_;
  return {};
}

// The op's header goes into this iclog only with at least a word behind it; the rest follows behind headers of its own, which say
// that it is a rest.
Result<void> LogWriter::add_cut(const LogPiece& piece) {
  if (left() <= kOpHeaderBytes) {
    DAXLAB_TRY(next_part(remaining_bytes_));
    if (piece.size_bytes <= left()) return add(piece);
  }
  const uint32_t data_bytes = piece.size_bytes - kOpHeaderBytes;
  uint32_t done = left() - kOpHeaderBytes;
  OpHeaderDisk op;
  std::memcpy(&op, piece.header, sizeof op);
  op.size_bytes = done;
  op.flags |= kOpContinue;
  std::memcpy(piece.header, &op, sizeof op);
  copy(piece.header, kOpHeaderBytes + done);
  ++ops_;
  remaining_bytes_ -= piece.size_bytes;
  while (done < data_bytes) {
    const uint32_t rest = data_bytes - done;
    DAXLAB_TRY(next_part(kOpHeaderBytes + rest + remaining_bytes_));
    const uint32_t here = std::min(rest, left() - kOpHeaderBytes);
    OpHeaderDisk& more = ring_.continuation(*part_.iclog);
    more = {.checkpoint = checkpoint_,
            .size_bytes = here,
            .client = kOpClient,
            .flags = static_cast<uint8_t>(kOpWasContinued | (here < rest ? kOpContinue : kOpEnd)),
            .zero = 0};
    copy(reinterpret_cast<const std::byte*>(&more), kOpHeaderBytes);
    copy(piece.header + kOpHeaderBytes + done, here);
    ++ops_;
    stats_.splits.add();
    done += here;
  }
  return {};
}

void LogWriter::end() {
  DAXLAB_CHECK(remaining_bytes_ == 0);
  put_part();
}

}  // namespace daxlab::xfslike
