#include "engines/vmap/mapped_pages.h"

#include <atomic>

namespace daxlab::vmap {

uint32_t cpu_of_thread(uint32_t cpus) {
  static constinit std::atomic<uint32_t> threads{0};
  thread_local const uint32_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return number % cpus;
}

}  // namespace daxlab::vmap
