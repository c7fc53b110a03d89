#include "engines/pmem/recorder.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "engines/base/check.h"
#include "engines/base/no_alloc_zone.h"
#include "engines/base/no_alloc_zone.h"
#include "engines/pmem/watch.h"

namespace daxlab::pmem {

struct Recorder::State final : detail::Listener {
  explicit State(Region& region) : begin(region.bytes().data()), size_bytes(region.size_bytes()) {}

  void on_store(const void* to, size_t store_bytes, bool streamed, Site site) override {
    if (!inside(to, store_bytes)) return;
    append_store(streamed ? Event::Kind::kStream : Event::Kind::kStore, to, to, store_bytes, site);
  }

  // The value, not the memory: another thread may have stored the next one already.
  void on_commit(const uint64_t* to, uint64_t value, Site site) override {
    if (!inside(to, sizeof value)) return;
    append_store(Event::Kind::kStore, to, &value, sizeof value, site);
  }

  void on_load(const void* from, size_t load_bytes) override {
    if (!loads.load(std::memory_order_relaxed) || !inside(from, load_bytes)) return;
    const std::lock_guard lock(mutex);
    append(Event::Kind::kLoad, from, load_bytes, {});
  }

  void on_flush(const void* from, size_t flush_bytes, Site site) override {
    if (!inside(from, flush_bytes)) return;
    const std::lock_guard lock(mutex);
    append(Event::Kind::kFlush, from, flush_bytes, site);
  }

  void on_fence(Site site) override {
    const std::lock_guard lock(mutex);
    append_at(Event::Kind::kFence, 0, 0, site);
  }

  void mark(Event::Kind kind, uint64_t number) {
    const std::lock_guard lock(mutex);
    append_at(kind, number, 0, {});
  }

  const std::byte* begin;
  uint64_t size_bytes;
  std::atomic<bool> loads{false};
  std::mutex mutex;
  Trace trace;
  std::unordered_map<std::thread::id, uint32_t> threads;

 private:
  bool inside(const void* at, size_t count_bytes) const {
    const auto* byte = static_cast<const std::byte*>(at);
    return byte >= begin && byte < begin + size_bytes && count_bytes != 0;
  }

  void append_store(Event::Kind kind, const void* to, const void* from, size_t store_bytes, Site site) {
    const std::lock_guard lock(mutex);
    const NoAllocExemption exemption;  // a fault served by the software MMU is recorded too
    const auto* bytes = static_cast<const std::byte*>(from);
    append(kind, to, store_bytes, site);
    trace.data.insert(trace.data.end(), bytes, bytes + store_bytes);
  }

  void append(Event::Kind kind, const void* at, size_t count_bytes, Site site) {
    append_at(kind, static_cast<uint64_t>(static_cast<const std::byte*>(at) - begin), count_bytes, site);
  }

  void append_at(Event::Kind kind, uint64_t offset_bytes, size_t count_bytes, [[maybe_unused]] Site site) {
    DAXLAB_CHECK(count_bytes <= UINT32_MAX);
    const NoAllocExemption exemption;
    const auto thread = threads.try_emplace(std::this_thread::get_id(), static_cast<uint32_t>(threads.size())).first->second;
    Event event{kind, thread, offset_bytes, static_cast<uint32_t>(count_bytes), trace.data.size(), nullptr, 0};
#if DAXLAB_MUTANTS
    event.file = site.file;
    event.line = site.line;
#endif
    trace.events.push_back(event);
  }
};

Recorder::Recorder(Region& region) : state_(std::make_unique<State>(region)) { detail::add_listener(*state_); }
Recorder::~Recorder() { detail::remove_listener(*state_); }

void Recorder::op_begin(uint64_t number) { state_->mark(Event::Kind::kOpBegin, number); }
void Recorder::op_end(uint64_t number) { state_->mark(Event::Kind::kOpEnd, number); }
void Recorder::record_loads(bool on) { state_->loads.store(on, std::memory_order_relaxed); }

Trace Recorder::take() {
  detail::remove_listener(*state_);
  const std::lock_guard lock(state_->mutex);
  return std::move(state_->trace);
}

}  // namespace daxlab::pmem
