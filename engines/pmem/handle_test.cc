#include "engines/pmem/handle.h"

#include <gtest/gtest.h>

#include "engines/pmem/recorder.h"
#include "engines/pmem/region.h"

namespace daxlab::pmem {
namespace {

struct Entry {
  uint64_t number;
  uint32_t kind;
  uint32_t size;
};

template <typename Handle>
concept CanFence = requires(Handle handle) {
  std::move(handle).fence();
};
template <typename Handle>
concept CanFlush = requires(Handle handle) {
  std::move(handle).flush();
};
template <typename Handle>
concept CanCommit = requires(Handle handle) {
  std::move(handle).commit(&Entry::number, 1);
};

static_assert(CanFlush<Pm<Entry, Dirty>> && !CanFlush<Pm<Entry, Durable>> && !CanFlush<Pm<Entry, Flushed>>);
static_assert(CanFence<Pm<Entry, Flushed>> && !CanFence<Pm<Entry, Dirty>> && !CanFence<Pm<Entry, Durable>>);
static_assert(CanCommit<Pm<Entry, Durable>>);
static_assert(!std::is_copy_constructible_v<Pm<Entry, Durable>>);

TEST(Handle, DrivesStoreFlushAndFenceInOrder) {
  const auto region = Region::for_test(16 * kBlockBytes).value();
  Recorder recorder(*region);
  auto body = Pm<Entry, Durable>::open(reinterpret_cast<Entry*>(region->block_address(1)))
                  .store(&Entry::kind, 4)
                  .store(&Entry::size, 9)
                  .flush()
                  .fence();
  auto live = std::move(body).commit(&Entry::number, 77).flush().fence();
  EXPECT_EQ(live->number, 77u);
  EXPECT_EQ((*live).kind, 4u);
  EXPECT_EQ(live->size, 9u);
  using K = Event::Kind;
  std::vector<K> kinds;
  for (const Event& event : recorder.take().events) kinds.push_back(event.kind);
  EXPECT_EQ(kinds, (std::vector<K>{K::kStore, K::kStore, K::kFlush, K::kFence, K::kStore, K::kFlush, K::kFence}));
}

TEST(Handle, SeveralHandlesShareOneFence) {
  const auto region = Region::for_test(16 * kBlockBytes).value();
  const CounterValues before = t_counters.snapshot();
  auto a = Pm<Entry, Durable>::open(reinterpret_cast<Entry*>(region->block_address(1))).store({1, 2, 3}).flush();
  auto b = Pm<Entry, Durable>::open(reinterpret_cast<Entry*>(region->block_address(2))).store({4, 5, 6}).flush();
  auto [durable_a, durable_b] = FenceAll::of(std::move(a), std::move(b));
  CounterValues counted = t_counters.snapshot();
  counted -= before;
  EXPECT_EQ(counted[Counter::fences], 1u);
  EXPECT_EQ(counted[Counter::lines_flushed], 2u);
  EXPECT_EQ(durable_a->number + durable_b->number, 5u);
}

}  // namespace
}  // namespace daxlab::pmem
