#include "engines/xfslike/checkpoint.h"

#include <utility>

namespace daxlab::xfslike {

namespace {

OpHeaderDisk own_op(uint32_t size_bytes, uint8_t flags) {
  return {.checkpoint = 0, .size_bytes = size_bytes, .client = kOpClient, .flags = flags, .zero = 0};
}

template <typename T>
LogPiece piece_of(T& op) {
  return {reinterpret_cast<std::byte*>(&op), sizeof op};
}

}  // namespace

Checkpoint::~Checkpoint() {
  for (LogVector* vector = first; vector != nullptr;) LogVectorDeleter()(std::exchange(vector, vector->behind));
}

void Checkpoint::append(LogVector& vector) {
  vector.before = last;
  vector.behind = nullptr;
  (last == nullptr ? first : last->behind) = &vector;
  last = &vector;
}

void Checkpoint::take_out(LogVector& vector) {
  (vector.before == nullptr ? first : vector.before->behind) = vector.behind;
  (vector.behind == nullptr ? last : vector.behind->before) = vector.before;
}

void Checkpoint::detach_items() {
  for_each_item([](LogItem& item) { item.vector_ = nullptr; });
}

Result<void> Checkpoint::write_body(LogWriter& writer, const std::function<void(Lsn)>& started) {
  start_op_ = own_op(0, kOpStart);
  transaction_op_ = {own_op(sizeof(TransactionHeaderDisk), 0), {kTransactionMagic, kTransactionCheckpoint, id, items}};
  static_assert(sizeof start_op_ + sizeof transaction_op_ == kCheckpointOpBytes);
  DAXLAB_TRY(writer.begin(kCheckpointOpBytes + space_bytes, [&](Iclog& iclog) { started(iclog.lsn); }));
  DAXLAB_TRY(writer.add(piece_of(start_op_)));
  DAXLAB_TRY(writer.add(piece_of(transaction_op_)));
  for (LogVector* vector = first; vector != nullptr; vector = vector->behind) {
    for (const LogPiece& piece : vector->all()) DAXLAB_TRY(writer.add(piece));
  }
  writer.end();
  return {};
}

Result<Iclog*> Checkpoint::write_commit(LogWriter& writer, IclogRing& ring) {
  commit_op_ = own_op(0, kOpCommit);
  Iclog* held = nullptr;
  DAXLAB_TRY(writer.begin(sizeof commit_op_, [&](Iclog& iclog) {
    ring.hold_for_commit(iclog, *this);
    held = &iclog;
  }));
  DAXLAB_TRY(writer.add(piece_of(commit_op_)));
  writer.end();
  return held;
}

}  // namespace daxlab::xfslike
