// Records what an engine does to its medium, event by event with bytes, for the crash laboratory.
//
// Recording begins with the object and ends with take() or the object; both while the engine is idle. Threads record in the order
// in which they take the recorder's lock. Off, it costs nothing: the door's one predicted branch covers it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engines/base/result.h"
#include "engines/pmem/region.h"

namespace daxlab::pmem {

struct Event {
  enum class Kind : uint8_t { kStore, kStream, kLoad, kFlush, kFence, kOpBegin, kOpEnd };
  Kind kind;
  uint32_t thread;        ///< Small number, in order of first event.
  uint64_t offset_bytes;  ///< From the start of the region's mapping; operation number for kOpBegin and kOpEnd.
  uint32_t size_bytes;
  uint64_t data_at;  ///< Stores: where their bytes begin in Trace::data.
  const char* file;  ///< Call site in the mutants build, else null.
  int line;
};

struct Trace {
  std::vector<Event> events;
  std::vector<std::byte> data;
};

class Recorder {
 public:
  /// Starts recording stores, flushes and loads inside `region`. Stores made through a user mapping of the region are
  /// reported by engines/dax when it writes them back.
  explicit Recorder(Region& region);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void op_begin(uint64_t number);
  void op_end(uint64_t number);
  /// Loads are many and matter only in recovery; off at start.
  void record_loads(bool on);
  /// Ends recording and gives the trace away.
  Trace take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace daxlab::pmem
