// The persistence model: which stores of a trace are durable at an event, and which lines are still in flight. Inside
// engines/pmem only.
//
// Invariants: 1. `base` holds exactly what is durable for certain, less stores that are durable but lie, within their line,
// behind one that is not; those wait in the line, marked durable. 2. A line that is in flight has at least one store that is
// not durable. 3. digest() is a function of base's contents alone (relative to what it held at first).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engines/base/units.h"
#include "engines/pmem/crash_images.h"
#include "engines/pmem/recorder.h"

namespace daxlab::pmem::detail {

using LineBytes = std::array<std::byte, kCacheLineBytes>;

/// The part of one store that lies in one line.
struct LineStore {
  uint64_t data_at;  ///< In Trace::data.
  uint8_t begin;     ///< Bytes of the line: [begin, end).
  uint8_t end;
  bool streamed;
  bool durable;
  uint32_t thread;
  /// The 8-byte words that it touches, one bit each.
  uint8_t words() const { return static_cast<uint8_t>((0xffu >> (8 - div_up(end, 8))) & (0xffu << (begin / 8))); }
};

/// What of one in-flight line became durable beside what is so for certain.
struct LineChoice {
  uint32_t full;         ///< So many cached stores that are not durable yet, from the first.
  uint8_t next_words;    ///< Words of the cached store after those.
  uint8_t stream_words;  ///< Words of the streaming stores.
};
inline constexpr LineChoice kNothing = {0, 0, 0};
inline constexpr LineChoice kEverything = {UINT32_MAX, 0, 0xff};

class Line {
 public:
  std::vector<LineStore> stores;  ///< In order of the trace.

  void flush(uint32_t thread) { marks_.push_back({thread, stores.size()}); }
  void fence(uint32_t thread);
  /// Stores from the front that are durable and wait for none: to be put into the base and dropped.
  size_t settled() const;
  void drop(size_t store_count);

  uint32_t cached_count() const;  ///< Cached stores that are not durable.
  uint8_t stream_words() const;   ///< Words of streaming stores that are not durable.
  bool holds_back() const;        ///< A durable store waits behind one that is not.
  /// Applies durable and chosen stores to `bytes`, the line's base contents.
  void apply(const Trace& trace, const LineChoice& choice, LineBytes& bytes) const;

 private:
  struct Mark {
    uint32_t thread;
    size_t store_count;  ///< Stores that the flush covers.
  };
  std::vector<Mark> marks_;
};

class InFlight {
 public:
  /// Makes `region` equal to `base` wherever the trace stores.
  InFlight(const Trace& trace, CrashModel model, std::span<std::byte> base, std::span<std::byte> region);

  /// Goes on to the next crash point; false at the end of the trace, after the last point.
  bool advance();
  /// Base and region as at first; the next advance() finds the first point.
  void rewind();

  const std::map<uint64_t, Line>& lines() const { return lines_; }  ///< By line number.
  uint64_t point() const { return point_; }
  size_t event() const { return std::min(event_, trace_.events.size()); }
  std::span<const uint64_t> running() const { return running_; }
  std::span<const uint64_t> finished() const { return finished_; }
  uint64_t digest() const { return digest_; }
  /// What `bytes` holds now in every line that the trace stores to.
  std::vector<std::pair<uint64_t, LineBytes>> stored_lines(std::span<const std::byte> bytes) const;

  LineBytes base_line(uint64_t line) const;
  static uint64_t hash(uint64_t line, const LineBytes& bytes);

 private:
  bool is_point_before(const Event& event) const;
  bool is_point_after(const Event& event) const;
  void take(const Event& event);
  void take_store(const Event& event);
  void take_fence(uint32_t thread);
  void settle(std::map<uint64_t, Line>::iterator line);
  void change_base(uint64_t line, const LineBytes& bytes);

  const Trace& trace_;
  CrashModel model_;
  std::span<std::byte> base_;
  std::span<std::byte> region_;
  std::map<uint64_t, Line> lines_;
  std::unordered_map<uint64_t, LineBytes> first_bytes_;  // of the lines of base that changed
  std::vector<uint64_t> running_;
  std::vector<uint64_t> finished_;
  uint64_t digest_ = 0;
  uint64_t point_ = 0;
  size_t event_ = 0;
  bool begun_ = false;
  bool before_done_ = false;  // the point before event_ was given
};

}  // namespace daxlab::pmem::detail
