// What the log's tests share: a small region with a log and, behind it, cells: objects of one word that are logged and written
// back as real metadata is.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/pmem/persist.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/buffered_log.h"
#include "engines/xfslike/log.h"

namespace daxlab::xfslike {

/// A cell in its place: value and LSN in one line, each an atomic word.
struct CellDisk {
  uint64_t value;
  Lsn lsn;
  uint64_t zero[6];
};
DAXLAB_ON_MEDIA(CellDisk, 64, 8);

/// Its first region in the log; the second, if any, is payload derived from value and number.
struct CellLogDisk {
  ItemHeaderDisk header;
  uint32_t index;
  uint64_t value;
  uint64_t payload_bytes;
};
DAXLAB_ON_MEDIA(CellLogDisk, 24, 8);

inline std::byte pattern(uint64_t value, uint32_t index, uint64_t at) {
  return static_cast<std::byte>((value * 0x9e3779b97f4a7c15u + index * 131 + at * 7) >> 13);
}

class Cell final : public LogItem {
 public:
  Cell(CellDisk& place, uint32_t index, ItemType type = ItemType::kInode) : LogItem(type), place_(place), index_(index) {}

  uint64_t value = 0;
  uint32_t payload_bytes = 0;
  Mutex lock;
  std::atomic<int> pins = 0;
  std::atomic<int> aborts = 0;
  std::atomic<int> completions = 0;
  Ail* ail = nullptr;
  uint64_t committed_in = 0;

  LogItem::Size log_size() const override {
    return {payload_bytes == 0 ? 1u : 2u, static_cast<uint32_t>(sizeof(CellLogDisk)) + payload_bytes};
  }
  void format(RegionWriter& out) const override {
    const CellLogDisk disk{{0, 0}, index_, value, payload_bytes};
    std::memcpy(out.add(sizeof disk), &disk, sizeof disk);
    if (payload_bytes == 0) return;
    std::byte* const payload = out.add(payload_bytes);
    for (uint32_t i = 0; i < payload_bytes; ++i) payload[i] = pattern(value, index_, i);
  }
  void committing(uint64_t sequence) override { committed_in = sequence; }
  void pin() override { ++pins; }
  void unpin() override { --pins; }
  Lsn committed(Lsn start) override {
    ++completions;
    return start;
  }
  void aborted() override { ++aborts; }

  // Order: value; fence; LSN; fence. A crash before the LSN leaves the old one, and the log replays the value again.
  Push push() override {
    if (!lock.try_lock()) return Push::kLocked;
    Push outcome = Push::kPinned;
    if (pins.load() == 0) {
      const Lsn at = ail_lsn();
      pmem::store(&place_.value, value);
      pmem::persist(&place_.value, sizeof place_.value);
      pmem::store(&place_.lsn, at);
      pmem::persist(&place_.lsn, sizeof place_.lsn);
      ail->remove_at(*this, at);
      outcome = Push::kDone;
    }
    lock.unlock();
    return outcome;
  }

 private:
  CellDisk& place_;
  const uint32_t index_;
};

/// Replays cells into their places, checks payloads, and remembers what it was told.
class CellSink : public ReplaySink {
 public:
  explicit CellSink(std::span<CellDisk> places) : places_(places) {}

  Result<void> note(const RecoveredItem& item) override {
    EXPECT_FALSE(replaying) << "pass 1 after pass 2 began";
    noted.push_back(index_of(item));
    return {};
  }
  Result<void> replay(const RecoveredItem& item, Lsn start) override {
    replaying = true;
    const CellLogDisk disk = read(item);
    replayed_indexes.push_back(disk.index);
    CellDisk& place = places_[disk.index];
    if (pmem::load(&place.lsn) > start) return {};
    pmem::store(&place.value, disk.value);
    pmem::store(&place.lsn, start);
    pmem::flush(&place, sizeof place);
    return {};
  }
  Result<void> replayed() override {
    ++ends;
    pmem::fence();
    return {};
  }
  Result<LogItem*> intent(const RecoveredItem& item, Lsn start) override {
    const CellLogDisk disk = read(item);
    intents.push_back(disk.value);
    return on_intent ? on_intent(disk.value, start) : nullptr;
  }

  bool replaying = false;
  int ends = 0;
  std::vector<uint32_t> noted;
  std::vector<uint32_t> replayed_indexes;
  std::vector<uint64_t> intents;
  std::function<LogItem*(uint64_t, Lsn)> on_intent;

 private:
  static uint32_t index_of(const RecoveredItem& item) { return read(item).index; }
  static CellLogDisk read(const RecoveredItem& item) {
    CellLogDisk disk{};
    EXPECT_EQ(item.regions[0].size(), sizeof disk);
    std::memcpy(&disk, item.regions[0].data(), sizeof disk);
    EXPECT_EQ(item.regions.size(), disk.payload_bytes == 0 ? 1u : 2u);
    if (disk.payload_bytes == 0) return disk;
    const auto payload = item.regions[1];
    EXPECT_EQ(payload.size(), align_up(disk.payload_bytes, 4));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(payload.data()) % 8, 0u);
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < disk.payload_bytes; ++i) wrong += payload[i] != pattern(disk.value, disk.index, i);
    EXPECT_EQ(wrong, 0u) << "cell " << disk.index << " value " << disk.value;
    return disk;
  }
  std::span<CellDisk> places_;
};

/// Small, inline and deterministic, unless a test changes it.
inline LogConfig small_log(LogFormat format = LogFormat::kV2) {
  LogConfig config;
  config.format = format;
  config.iclog_size_bytes = 16 * kKiB;
  config.iclogs = 4;
  config.background_threads = false;
  config.uuid = 0x1234;
  return config;
}

/// A region of `log_bytes` of log and 64 cells, formatted and mounted.
class LogBed {
 public:
  static constexpr uint32_t kCells = 64;

  explicit LogBed(const LogConfig& how = small_log(), uint64_t log_bytes = 256 * kKiB, const pmem::RunSpec& run = {})
      : config(how), region(pmem::Region::for_test(log_bytes + 64 * kKiB, run).value()) {
    const BlockRun blocks{0, static_cast<uint32_t>(log_bytes / kBlockBytes)};
    placement = std::make_unique<BufferedLog>(*region, std::span(&blocks, 1));
    places = {reinterpret_cast<CellDisk*>(region->block_address(blocks.count)), kCells};
    must(Log::create(*placement, config));
    mount();
  }
  ~LogBed() { log.reset(); }

  template <typename T>
  static T must(Result<T> result) {
    if (!result.ok()) ADD_FAILURE() << result.error().message();
    return std::move(result).value();
  }
  static void must(const Result<void>& result) {
    if (!result.ok()) ADD_FAILURE() << result.error().message();
  }

  Result<void> try_mount() {
    log.reset();
    cells.clear();
    sink = std::make_unique<CellSink>(places);
    if (on_intent) sink->on_intent = on_intent;
    auto mounted = Log::mount(through == nullptr ? *placement : *through, config, *sink);
    if (!mounted.ok()) return mounted.error();
    log = std::move(mounted).value();
    for (uint32_t i = 0; i < kCells; ++i) {
      cells.push_back(std::make_unique<Cell>(places[i], i));
      cells[i]->ail = &log->ail();
      cells[i]->value = places[i].value;
    }
    return {};
  }
  void mount() { must(try_mount()); }
  void unmount() {
    must(log->unmount());
    log.reset();
  }
  /// Forgets what is in DRAM.
  void crash_and_mount() {
    log.reset();
    mount();
  }

  /// One transaction that sets `indexes` to `value`. Takes as many locks as there are.
  uint64_t set(std::vector<uint32_t> indexes, uint64_t value, uint32_t payload_bytes = 0) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
    std::vector<LogItem*> items;
    Ticket ticket = must(log->reserve(static_cast<uint32_t>(indexes.size()) * unit_of(payload_bytes)));
    std::sort(indexes.begin(), indexes.end());
    for (uint32_t index : indexes) {
      cells[index]->lock.lock();
      cells[index]->value = value;
      cells[index]->payload_bytes = payload_bytes;
      items.push_back(cells[index].get());
    }
    const uint64_t sequence = log->commit(ticket, items);
    for (uint32_t index : indexes) cells[index]->lock.unlock();
    return sequence;
  }
  static uint32_t unit_of(uint32_t payload_bytes) {
    return static_cast<uint32_t>(kOpHeaderBytes + sizeof(CellLogDisk) +
                                 (payload_bytes == 0 ? 0 : kOpHeaderBytes + align_up(payload_bytes, 4)));
  }
  uint64_t on_media(uint32_t index) const { return places[index].value; }

  LogConfig config;
  std::unique_ptr<pmem::Region> region;
  std::unique_ptr<BufferedLog> placement;
  LogPlacement* through = nullptr;  // stands in front of it
  std::span<CellDisk> places;
  std::unique_ptr<CellSink> sink;
  std::function<LogItem*(uint64_t, Lsn)> on_intent;
  std::vector<std::unique_ptr<Cell>> cells;
  std::unique_ptr<Log> log;  // before the cells: its end tells them
};

}  // namespace daxlab::xfslike
