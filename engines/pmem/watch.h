// What watches the door: an emulation profile's delays and a recorder. Inside engines/pmem only.
//
// Invariant: g_door.watched is true exactly while a profile delays or a recorder listens; update_watched() keeps it so.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engines/pmem/persist.h"

namespace daxlab::pmem::detail {

/// Of the profile in force, in ticks of the time-stamp counter; fractions count, as one tick may be a third of a nanosecond.
struct Delays {
  double flush_line_ticks = 0;
  double fence_ticks = 0;
  double stream_byte_ticks = 0;
  bool any() const { return flush_line_ticks > 0 || fence_ticks > 0 || stream_byte_ticks > 0; }
};
extern Delays g_delays;

/// Spins for `tick_count` ticks on average: what one call overshoots is taken off this thread's next one.
void spin(double tick_count);
/// Ticks that a spin() costs beside the loop that it times; measured by apply_profile().
extern double g_spin_overhead_ticks;

/// Takes events; called on the thread that caused them, after a store's bytes are in place.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on_store(const void* to, size_t size_bytes, bool streamed, Site site) = 0;
  virtual void on_commit(const uint64_t* to, uint64_t value, Site site) = 0;
  virtual void on_load(const void* from, size_t size_bytes) = 0;
  virtual void on_flush(const void* from, size_t size_bytes, Site site) = 0;
  virtual void on_fence(Site site) = 0;

  Listener* next = nullptr;  ///< In the list of listeners.
};

/// Changed only while no engine is mounted. Removing one that is not in the list does nothing.
void add_listener(Listener& listener);
void remove_listener(Listener& listener);
void update_watched();
/// What CPUID offers, whatever the profile made of it.
FlushInstruction cpu_flush_instruction();

}  // namespace daxlab::pmem::detail
