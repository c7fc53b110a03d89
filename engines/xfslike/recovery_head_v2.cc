#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <vector>

#include "engines/xfslike/recovery_head.h"

namespace daxlab::xfslike::detail {

namespace {

/// What may have been in flight: XLOG_TOTAL_REC_SHIFT, whatever sizes the mount that crashed had.
constexpr uint32_t kWindowBlocks = LogConfig::kIclogsMax * (LogConfig::kIclogBytesMax / kBasicBlockBytes);

class HeadV2 {
 public:
  HeadV2(LogPlacement& placement, const LogGeometry& geometry)
      : placement_(placement), geometry_(geometry), reader_(placement, geometry), ring_(geometry.ring_blocks) {}

  Result<LogEnds> find() {
    DAXLAB_ASSIGN(const RecordInfo newest, newest_before(block_of_head()));
    DAXLAB_TRY(cut_torn(newest));
    ends_.head = reader_.end_of(ends_.last);
    const auto payload = reader_.payload(ends_.last);
    ends_.clean = payload && is_unmount_record(ends_.last, *payload);
    ends_.tail = ends_.clean ? ends_.last.lsn : ends_.last.tail_lsn;
    if (ends_.tail > ends_.last.lsn || geometry_.distance(ends_.tail, ends_.head) > geometry_.ring_bytes())
      return log_damaged("a record names a tail that cannot be", lsn_block(ends_.last.lsn));
    if (!ends_.clean) DAXLAB_TRY(step_over_overwritten());
    clear_stale();
    return ends_;
  }

 private:
  /// The first block that is older than the one before it, holes in the window included. `ring_` when that is the log's end.
  uint32_t block_of_head() {
    const uint32_t first = reader_.cycle_at(0);
    const uint32_t last = reader_.cycle_at(ring_ - 1);
    uint32_t head = ring_;
    uint32_t older = last - 1;  // all of one cycle: a hole would be of the one before
    if (first != last) {
      uint32_t low = 0;
      head = ring_ - 1;
      while (head - low > 1) {
        const uint32_t middle = low + (head - low) / 2;
        (reader_.cycle_at(middle) == last ? head : low) = middle;
      }
      older = last;
    }
    const uint32_t window = std::min(ring_, kWindowBlocks);
    if (head >= window) return first_of_cycle(head - window, head, older).value_or(head);
    // The window reaches back over the log's end, where everything is a cycle older.
    if (const auto hole = first_of_cycle(ring_ - (window - head), ring_, older - 1)) return *hole;
    return first_of_cycle(0, head, older).value_or(head);
  }

  std::optional<uint32_t> first_of_cycle(uint32_t from, uint32_t to, uint32_t cycle) {
    for (uint32_t block = from; block < to; ++block) {
      if (reader_.cycle_at(block) == cycle) return block;
    }
    return {};
  }

  /// The record that ends at `head` or, where the newest is cut there, the one before it.
  Result<RecordInfo> newest_before(uint32_t head) {
    for (uint32_t back = 1, since = 1; back <= ring_; ++back, ++since) {
      const auto info = reader_.header_at((head + ring_ - back) % ring_);
      if (!info) continue;
      if (info->blocks() <= since) return *info;
      since = 0;  // what follows it is missing: the log ends before it
      ++ends_.torn_records;
    }
    return log_damaged("no record at all", 0);
  }

  /// The record that ends where this one begins. A torn header may not say where that one is.
  std::optional<RecordInfo> before(const RecordInfo& info) {
    const auto ends_there = [&](const std::optional<RecordInfo>& found) { return found && reader_.end_of(*found) == info.lsn; };
    if (const auto found = reader_.header_at(info.previous_block % ring_); ends_there(found)) return found;
    for (uint32_t back = 1; back <= LogConfig::kIclogBytesMax / kBasicBlockBytes && back < ring_; ++back) {
      const auto found = reader_.header_at((lsn_block(info.lsn) + ring_ - back) % ring_);
      if (ends_there(found)) return found;
    }
    return {};
  }

  /// As many records as there are iclogs may have been in flight together; of these the first torn one ends the log. Further back
  /// nothing is looked at: what was in flight may have begun to overwrite it.
  Result<void> cut_torn(const RecordInfo& newest) {
    std::vector<RecordInfo> records = {newest};
    while (records.size() <= LogConfig::kIclogsMax) {
      const auto earlier = before(records.back());
      if (!earlier) break;
      records.push_back(*earlier);
    }
    const auto is_whole = [this](const RecordInfo& info) { return reader_.payload(info).has_value(); };
    const auto newest_whole = std::find_if(records.begin(), records.end(), is_whole);
    if (newest_whole == records.end()) return log_damaged("no whole record", lsn_block(newest.lsn));
    const size_t in_flight = std::min<size_t>(records.size() - 1, newest_whole->iclogs);
    const auto whole_behind = std::find_if_not(records.rend() - static_cast<std::ptrdiff_t>(in_flight), records.rend(), is_whole);
    const auto cut = static_cast<size_t>(records.rend() - whole_behind);  // newer than the last one that counts
    if (cut == records.size() || !is_whole(records[cut])) return log_damaged("no whole record", lsn_block(newest.lsn));
    ends_.last = records[cut];
    ends_.torn_records += cut;
    return {};
  }

  /// The records that were in flight may have begun to overwrite what was the tail when the last whole one was written. What they
  /// overwrote was written back, so replay may begin behind it.
  Result<void> step_over_overwritten() {
    const uint64_t reach_bytes =
        std::max(uint64_t{ends_.last.iclogs} * ends_.last.iclog_bytes, uint64_t{geometry_.iclogs} * geometry_.iclog_bytes);
    for (Lsn at = ends_.tail; at < ends_.head;) {
      const uint64_t behind_head = geometry_.ring_bytes() - geometry_.distance(at, ends_.head);
      if (behind_head >= reach_bytes) break;
      const auto info = reader_.header_at(at);
      if (info && reader_.payload(*info)) {
        at = reader_.end_of(*info);
        continue;
      }
      do at = geometry_.advance(at, 1);
      while (at < ends_.head && !reader_.header_at(at));
      ends_.tail = at;
    }
    if (ends_.tail >= ends_.head) return log_damaged("nothing whole behind the tail", lsn_block(ends_.tail));
    return {};
  }

  // Order: any; fence. Each block that is set back lies behind the head before and after. Behind an unmount record, too, may be what a
  // crash cut, of the mount after it (XFS: xlog_clear_stale_blocks(), which a clean log does not skip either). The first block is set
  // back whatever its cycle: of 8 aligned bytes the one with the cycle may be all that is missing of a record, and the next record in
  // its place begins with equal ones.
  void clear_stale() {
    const auto free_blocks =
        static_cast<uint32_t>((geometry_.ring_bytes() - geometry_.distance(ends_.tail, ends_.head)) / kBasicBlockBytes);
    for (uint32_t i = 0; i < std::min(free_blocks, kWindowBlocks); ++i) {
      const Lsn at = geometry_.advance(ends_.head, i);
      if (i != 0 && reader_.cycle_at(lsn_block(at)) != lsn_cycle(at)) continue;
      const Lsn older = make_lsn(lsn_cycle(at) - 1, lsn_block(at));
      RecordHeaderDisk nothing{};
      nothing.magic = kRecordMagic;
      nothing.cycle = lsn_cycle(older);
      nothing.lsn = older;
      alignas(64) std::byte block[kBasicBlockBytes];
      std::memcpy(block, &nothing, sizeof nothing);
      placement_.write(lsn_block(at), 1, block);
    }
    placement_.sync();
  }

  LogPlacement& placement_;
  const LogGeometry geometry_;
  RecordReader reader_;
  const uint32_t ring_;
  LogEnds ends_;
};

}  // namespace

Result<LogEnds> find_log_ends_v2(LogPlacement& placement, const LogGeometry& geometry) {
  return HeadV2(placement, geometry).find();
}

}  // namespace daxlab::xfslike::detail
