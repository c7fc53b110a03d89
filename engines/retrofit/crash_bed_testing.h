// The core's log over a placement and a geometry of the test's choice, with cells (engines/xfslike/log_testing.h) as its metadata, and
// the judgement of what a crash left of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engines/base/random.h"
#include "engines/pmem/crash_images.h"
#include "engines/retrofit/placement_testing.h"
#include "engines/xfslike/log_testing.h"

namespace daxlab::retrofit {

using CellState = std::vector<uint64_t>;

class CrashBed {
 public:
  static constexpr uint32_t kCells = 12;
  static constexpr uint64_t kRegionBytes = 8 * kMiB;

  CrashBed(const std::string& placement_name, const xfslike::LogConfig& how, uint64_t log_bytes, const pmem::RunSpec& run)
      : config(how), region(pmem::Region::for_test(kRegionBytes, run).value()) {
    const auto blocks = static_cast<uint32_t>(log_bytes / kBlockBytes);
    // In the middle of the log the medium is cut, if it is cut at all.
    uint64_t cut = blocks;
    while (cut + blocks + 1 < region->block_count() && region->direct_access(cut, 2).block_count == 2) ++cut;
    const uint64_t first = cut + blocks + 1 < region->block_count() ? cut + 1 - blocks / 2 : blocks;
    placement = make_placement(placement_name, *region, {{first, blocks}});
    places = {reinterpret_cast<xfslike::CellDisk*>(region->block_address(first + blocks)), kCells};
    EXPECT_TRUE(xfslike::Log::create(*placement, config).ok());
    EXPECT_TRUE(mount().ok());
    states = {on_media()};
  }
  ~CrashBed() { log.reset(); }

  Result<void> mount() {
    log.reset();
    cells.clear();
    sink = std::make_unique<xfslike::CellSink>(places);
    DAXLAB_ASSIGN(log, xfslike::Log::mount(*placement, config, *sink));
    for (uint32_t i = 0; i < kCells; ++i) {
      cells.push_back(std::make_unique<xfslike::Cell>(places[i], i));
      cells[i]->ail = &log->ail();
      cells[i]->value = places[i].value;
    }
    return {};
  }
  CellState on_media() const {
    CellState state;
    for (const xfslike::CellDisk& place : places) state.push_back(place.value);
    return state;
  }

  /// One transaction that sets `indexes` to a value of its own, with that much payload each. Takes as many locks as there are.
  void set(const std::set<uint32_t>& indexes, uint32_t payload_bytes) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
    const uint64_t value = ++last_value_;
    CellState next = states.back();
    std::vector<xfslike::LogItem*> items;
    auto ticket = log->reserve(static_cast<uint32_t>(indexes.size()) * xfslike::LogBed::unit_of(payload_bytes));
    ASSERT_TRUE(ticket.ok()) << ticket.error().message();
    for (uint32_t index : indexes) {
      cells[index]->lock.lock();
      cells[index]->value = next[index] = value;
      cells[index]->payload_bytes = payload_bytes;
      items.push_back(cells[index].get());
    }
    log->commit(*ticket, items);
    for (uint32_t index : indexes) cells[index]->lock.unlock();
    states.push_back(std::move(next));
  }
  void force() {
    ASSERT_TRUE(log->force_all().ok());
    forced = states.size() - 1;
  }
  /// Operation boundaries, for the recorder and the judgement.
  template <typename Body>
  void operation(pmem::Recorder& recorder, const Body& body) {
    recorder.op_begin(committed_by.size());
    body();
    committed_by.push_back(states.size() - 1);
    forced_by.push_back(forced);
    recorder.op_end(committed_by.size() - 1);
  }
  /// What is on the medium is where the states are counted from.
  void forget_history() {
    states = {states.back()};
    committed_by.clear();
    forced_by.clear();
    forced = 0;
  }

  /// Mounts what a crash left: a state between what was forced and what was begun, or a failure.
  std::optional<size_t> judge(const pmem::CrashImages& images) {
    if (const auto mounted = mount(); !mounted.ok()) {
      ADD_FAILURE() << images.id() << ": " << mounted.error().message();
      return {};
    }
    const CellState found = on_media();
    const bool any = !images.finished().empty();
    const size_t least = any ? forced_by[images.finished().back()] : 0;
    const size_t most = !images.running().empty() ? committed_by[images.running().back()] : any ? committed_by[images.finished().back()] : 0;
    for (size_t t = most + 1; t-- > least;) {
      if (found == states[t]) return t;
    }
    ADD_FAILURE() << images.id() << ": none of the states " << least << " to " << most << " but " << testing::PrintToString(found);
    return {};
  }
  /// It goes on from there, crashes again, and holds what was forced.
  void drive(const pmem::CrashImages& images) {
    const auto before = states;
    states = {on_media()};
    set({0}, 100);
    force();
    set({1, 2}, 700);
    force();
    const CellState expected = states.back();
    const auto mounted = mount();
    EXPECT_TRUE(mounted.ok() && on_media() == expected) << images.id() << ", driven";
    states = before;
  }

  xfslike::LogConfig config;
  std::unique_ptr<pmem::Region> region;
  std::unique_ptr<xfslike::LogPlacement> placement;
  std::span<xfslike::CellDisk> places;
  std::unique_ptr<xfslike::CellSink> sink;
  std::vector<std::unique_ptr<xfslike::Cell>> cells;
  std::unique_ptr<xfslike::Log> log;
  std::vector<CellState> states;
  size_t forced = 0;
  std::vector<size_t> committed_by;  // by operation: states begun when it ended
  std::vector<size_t> forced_by;     // by operation: states that are durable when it has ended

 private:
  uint64_t last_value_ = 0;
};

}  // namespace daxlab::retrofit
