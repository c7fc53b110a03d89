#include "engines/xfslike/recovery.h"

#include <algorithm>
#include <cstring>

#include "engines/base/units.h"
#include "engines/xfslike/recovery_checkpoints.h"

namespace daxlab::xfslike {

Result<void> Recovery::run() {
  DAXLAB_ASSIGN(const LogEnds ends, find_log_ends(placement_, geometry_));
  found_.summary.clean = ends.clean;
  found_.summary.tail = ends.tail;
  found_.summary.head = ends.head;
  found_.summary.torn_records = ends.torn_records;
  found_.start = {ends.head, lsn_block(ends.last.lsn), ends.last.sequence + 1, ends.epoch + 1};
  found_.last_record = found_.tail = ends.last.lsn;
  found_.anchor = ends.anchor;
  found_.same_window = geometry_.format == LogFormat::kV3 ||
                       (ends.last.iclogs == geometry_.iclogs && ends.last.iclog_bytes == geometry_.iclog_bytes);
  if (ends.clean) return {};
  DAXLAB_TRY(pass(ends, Pass::kNote));
  DAXLAB_TRY(pass(ends, Pass::kReplay));
  DAXLAB_TRY(sink_.replayed());
  return hand_over_intents();
}

Result<void> Recovery::pass(const LogEnds& ends, Pass which) {
  CheckpointAssembler assembler([&](std::span<const RecoveredItem> items, Lsn start) { return take(items, start, which); });
  uint64_t records = 0;
  for (Lsn at = ends.tail; at < ends.head; ++records) {
    const auto info = reader_.header_at(at);
    const auto payload = info ? reader_.payload(*info) : std::nullopt;
    if (!payload) return detail::log_damaged("a record between tail and head is not whole", lsn_block(at));
    DAXLAB_TRY(assembler.record(*payload, info->ops, info->lsn));
    at = reader_.end_of(*info);
  }
  found_.summary.records = records;
  found_.next_sequence = uint64_t{assembler.highest_checkpoint()} + 1;
  return {};
}

Result<void> Recovery::take(std::span<const RecoveredItem> items, Lsn start, Pass which) {
  if (which == Pass::kNote) {
    ++found_.summary.checkpoints;
    found_.summary.items += items.size();
    for (const RecoveredItem& item : items) DAXLAB_TRY(sink_.note(item));
    return {};
  }
  for (const RecoveredItem& item : items) {
    if (item.type == ItemType::kExtentFreeIntent || item.type == ItemType::kExtentFreeDone)
      DAXLAB_TRY(take_intent_or_done(item, start));
    else
      DAXLAB_TRY(sink_.replay(item, start));
  }
  return {};
}

Result<void> Recovery::take_intent_or_done(const RecoveredItem& item, Lsn start) {
  constexpr size_t kNumberAt = 8;
  uint64_t number;
  if (item.regions[0].size() < kNumberAt + sizeof number) return Error(Errc::kCorrupt, "log: an intent without its number");
  std::memcpy(&number, item.regions[0].data() + kNumberAt, sizeof number);
  if (item.type == ItemType::kExtentFreeDone) {
    pending_.erase(number);  // or its intent lies before the tail
    return {};
  }
  Pending& pending = pending_[number];
  pending = {start, {}, {}};
  for (const auto region : item.regions) {
    pending.sizes_bytes.push_back(region.size());
    pending.regions.emplace_back(div_up(region.size(), sizeof(uint64_t)));
    std::memcpy(pending.regions.back().data(), region.data(), region.size());
  }
  return {};
}

Result<void> Recovery::hand_over_intents() {
  for (const auto& [number, pending] : pending_) {
    std::vector<std::span<const std::byte>> regions;
    for (size_t i = 0; i < pending.regions.size(); ++i)
      regions.push_back(std::as_bytes(std::span(pending.regions[i])).first(pending.sizes_bytes[i]));
    ++found_.summary.intents;
    DAXLAB_ASSIGN(LogItem* const item, sink_.intent({ItemType::kExtentFreeIntent, regions}, pending.start));
    if (item == nullptr) continue;
    intents_.emplace_back(item, pending.start);
    found_.tail = std::min(found_.tail, pending.start);
  }
  return {};
}

}  // namespace daxlab::xfslike
