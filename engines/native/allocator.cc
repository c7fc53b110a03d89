#include "engines/native/allocator.h"

#include <algorithm>
#include <bit>

#include <fmt/core.h>

#include "engines/base/check.h"

namespace daxlab::native {

namespace {

std::atomic<uint32_t> g_thread_numbers{0};
thread_local const uint32_t t_thread_number = g_thread_numbers.fetch_add(1, std::memory_order_relaxed);

/// Length of the run of 1 bits from `bit` on, at most `most`.
template <size_t kWords>
uint32_t run_length(const std::array<uint64_t, kWords>& bits, uint32_t bit, uint32_t most) {
  uint32_t length = 0;
  while (length < most && bit < kWords * 64) {
    const uint32_t in_word = bit % 64;
    const auto ones = std::min<uint32_t>(static_cast<uint32_t>(std::countr_one(bits[bit / 64] >> in_word)), 64 - in_word);
    length += ones;
    bit += ones;
    if (in_word + ones < 64) break;
  }
  return std::min(length, most);
}

/// Bits [bit, bit + count) of one word that begins at `bit`.
uint64_t mask_from(uint32_t bit, uint32_t count) { return (count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << bit; }

}  // namespace

Allocator::Allocator(uint64_t block_count, uint32_t cpus)
    : block_count_(block_count),
      group_count_(group_of(static_cast<uint32_t>(block_count - 1)) + 1),
      groups_(std::make_unique<Group[]>(group_count_)),
      pools_(cpus) {
  DAXLAB_CHECK(block_count > 0 && block_count <= (uint64_t{1} << 32) && cpus > 0);
  for (uint64_t group = 0; group < group_count_; ++group) {
    // Bit 0 of group 0 is the label, which is no block.
    const uint32_t first_bit = group == 0 ? 1 : 0;
    const uint64_t begin = group * kGroupBlocks + first_bit - 1;
    const uint64_t end = std::min(block_count, (group + 1) * kGroupBlocks - 1);
    groups_[group].capacity = static_cast<uint32_t>(end - begin);
    for (uint64_t i = 0; i < end - begin; ++i) {
      const auto bit = static_cast<uint32_t>(first_bit + i);
      groups_[group].free_bits[bit / 64] |= uint64_t{1} << (bit % 64);
    }
  }
}

bool Allocator::claim(uint32_t block, uint64_t count) {
  if (block >= block_count_ || count > block_count_ - block) return false;
  for (uint64_t i = 0; i < count; ++i) {
    const auto at = static_cast<uint32_t>(block + i);
    std::atomic_ref<uint64_t> word(groups_[group_of(at)].free_bits[bit_of(at) / 64]);
    const uint64_t bit = uint64_t{1} << (bit_of(at) % 64);
    if ((word.fetch_and(~bit, std::memory_order_relaxed) & bit) == 0) return false;
  }
  return true;
}

void Allocator::build() {
  for (uint32_t index = group_count_; index-- > 0;) {  // lists come out in ascending order
    Group& group = groups_[index];
    group.free_count = 0;
    for (const uint64_t word : group.free_bits) group.free_count += static_cast<uint32_t>(std::popcount(word));
    const auto owner = static_cast<uint32_t>(uint64_t{index} * pools_.size() / group_count_);
    group.pool.store(owner, std::memory_order_relaxed);
    Pool& pool = pools_[owner];
    const MutexLock lock(pool.mutex);
    push(pool, index);
    pool.free_count.store(pool.free_count.load(std::memory_order_relaxed) + group.free_count, std::memory_order_relaxed);
  }
  reserve_blocks_ = std::clamp<uint64_t>(block_count_ / 128, 8, 1024);
}

void Allocator::unlink(Pool& pool, uint32_t index) {
  Group& group = groups_[index];
  if (group.previous != kNone) groups_[group.previous].next = group.next;
  else pool.heads[static_cast<size_t>(group.list)] = group.next;
  if (group.next != kNone) groups_[group.next].previous = group.previous;
  group.previous = group.next = kNone;
}

void Allocator::push(Pool& pool, uint32_t index) {
  Group& group = groups_[index];
  group.list = group.free_count == 0 ? List::kFull : group.free_count == kGroupBlocks ? List::kWhole : List::kPartial;
  uint32_t& head = pool.heads[static_cast<size_t>(group.list)];
  group.next = head;
  group.previous = kNone;
  if (head != kNone) groups_[head].previous = index;
  head = index;
}

void Allocator::relist(Pool& pool, uint32_t index) {
  Group& group = groups_[index];
  const List now = group.free_count == 0 ? List::kFull : group.free_count == kGroupBlocks ? List::kWhole : List::kPartial;
  if (now == group.list) return;
  unlink(pool, index);
  push(pool, index);
}

Extent Allocator::take(Pool& pool, uint32_t index, uint32_t bit, uint32_t want) {
  Group& group = groups_[index];
  const uint32_t count = run_length(group.free_bits, bit, std::min(want, kGroupBlocks));
  for (uint32_t done = 0; done < count;) {
    const uint32_t at = bit + done;
    const uint32_t here = std::min(count - done, 64 - at % 64);
    group.free_bits[at / 64] &= ~mask_from(at % 64, here);
    done += here;
  }
  group.free_count -= count;
  group.cursor = static_cast<uint8_t>(bit / 64);
  pool.free_count.store(pool.free_count.load(std::memory_order_relaxed) - count, std::memory_order_relaxed);
  relist(pool, index);
  return {block_of(index, bit), count};
}

Extent Allocator::take_at(uint32_t block, uint32_t want) {
  if (block == 0 || block >= block_count_) return {};
  Group& group = groups_[group_of(block)];
  const uint32_t bit = bit_of(block);
  Pool& pool = pools_[group.pool.load(std::memory_order_relaxed)];
  const MutexLock lock(pool.mutex);
  if (&pools_[group.pool.load(std::memory_order_relaxed)] != &pool) return {};
  if ((group.free_bits[bit / 64] >> (bit % 64) & 1) == 0) return {};
  return take(pool, group_of(block), bit, want);
}

Extent Allocator::take_from(Pool& pool, uint32_t want) {
  const uint32_t whole = pool.heads[static_cast<size_t>(List::kWhole)];
  const uint32_t partial = pool.heads[static_cast<size_t>(List::kPartial)];
  if (want >= kGroupBlocks && whole != kNone) return take(pool, whole, 0, want);
  const uint32_t index = partial != kNone ? partial : whole;
  if (index == kNone) return {};
  Group& group = groups_[index];
  for (uint32_t i = 0; i < kGroupWords; ++i) {
    const uint32_t word = (group.cursor + i) % kGroupWords;
    if (group.free_bits[word] != 0) {
      return take(pool, index, word * 64 + static_cast<uint32_t>(std::countr_zero(group.free_bits[word])), want);
    }
  }
  return {};
}

// Takes one group with free blocks from the pool that has most and gives it to `thief`, under both locks, taken in order of address.
bool Allocator::steal(uint32_t thief, bool whole) {
  uint32_t victim = kNone;
  uint64_t most = 0;
  for (uint32_t i = 0; i < pools_.size(); ++i) {
    const uint64_t free_count = pools_[i].free_count.load(std::memory_order_relaxed);
    if (i != thief && free_count > most) {
      most = free_count;
      victim = i;
    }
  }
  if (victim == kNone) return false;
  Pool* const from = &pools_[victim];
  Pool* const to = &pools_[thief];
  Pool* const first = std::min(from, to);
  Pool* const second = std::max(from, to);
  const MutexLock lock_first(first->mutex);
  const MutexLock lock_second(second->mutex);
  uint32_t index = from->heads[static_cast<size_t>(List::kWhole)];
  if (index == kNone && !whole) index = from->heads[static_cast<size_t>(List::kPartial)];
  if (index == kNone) return false;
  Group& group = groups_[index];
  unlink(*from, index);
  group.pool.store(thief, std::memory_order_relaxed);
  from->free_count.store(from->free_count.load(std::memory_order_relaxed) - group.free_count, std::memory_order_relaxed);
  push(*to, index);
  to->free_count.store(to->free_count.load(std::memory_order_relaxed) + group.free_count, std::memory_order_relaxed);
  return true;
}

uint32_t Allocator::allowed(const Pool& pool, uint32_t want, Urgency urgency) const {
  if (urgency == Urgency::kReserve) return want;
  if (pool.free_count.load(std::memory_order_relaxed) >= reserve_blocks_ + want) return want;
  return static_cast<uint32_t>(std::min<uint64_t>(want, available_blocks()));
}

Extent Allocator::allocate(uint32_t want, uint32_t hint, Urgency urgency) {
  DAXLAB_DCHECK(want > 0);
  const uint32_t cpu = this_cpu();
  Pool& pool = pools_[cpu];
  want = allowed(pool, want, urgency);
  if (want == 0) return {};
  if (hint != 0) {
    const Extent extent = take_at(hint, want);
    if (extent.count != 0) return extent;
  }
  // Each pool can be emptied by others between a theft and its use: bounded, then the medium counts as full.
  for (uint32_t attempt = 0; attempt < 4 * pools_.size() + 4; ++attempt) {
    {
      const MutexLock lock(pool.mutex);
      const bool only_whole = want >= kGroupBlocks && attempt == 0;
      if (!only_whole || pool.heads[static_cast<size_t>(List::kWhole)] != kNone) {
        const Extent extent = take_from(pool, want);
        if (extent.count != 0) return extent;
      }
    }
    const bool stolen = steal(cpu, want >= kGroupBlocks) || steal(cpu, false);
    if (!stolen && attempt > 0) return {};
  }
  return {};
}

void Allocator::free(Extent extent) {
  while (extent.count != 0) {
    const uint32_t index = group_of(extent.block);
    const uint32_t bit = bit_of(extent.block);
    const uint32_t here = std::min(extent.count, kGroupBlocks - bit);
    Group& group = groups_[index];
    for (;;) {
      const uint32_t owner = group.pool.load(std::memory_order_relaxed);
      Pool& pool = pools_[owner];
      const MutexLock lock(pool.mutex);
      if (group.pool.load(std::memory_order_relaxed) != owner) continue;  // stolen meanwhile
      for (uint32_t done = 0; done < here;) {
        const uint32_t at = bit + done;
        const uint32_t in_word = std::min(here - done, 64 - at % 64);
        const uint64_t mask = mask_from(at % 64, in_word);
        DAXLAB_CHECK((group.free_bits[at / 64] & mask) == 0);  // freed twice
        group.free_bits[at / 64] |= mask;
        done += in_word;
      }
      group.free_count += here;
      pool.free_count.store(pool.free_count.load(std::memory_order_relaxed) + here, std::memory_order_relaxed);
      relist(pool, index);
      break;
    }
    extent.block += here;
    extent.count -= here;
  }
}

uint64_t Allocator::free_blocks() const {
  uint64_t sum = 0;
  for (const Pool& pool : pools_) sum += pool.free_count.load(std::memory_order_relaxed);
  return sum;
}

uint64_t Allocator::available_blocks() const {
  const uint64_t all = free_blocks();
  return all > reserve_blocks_ ? all - reserve_blocks_ : 0;
}

bool Allocator::is_free(uint32_t block) const {
  return (groups_[group_of(block)].free_bits[bit_of(block) / 64] >> (bit_of(block) % 64) & 1) != 0;
}

uint32_t Allocator::this_cpu() const { return t_thread_number % static_cast<uint32_t>(pools_.size()); }

uint64_t Allocator::dram_bytes() const { return group_count_ * sizeof(Group) + pools_.size() * sizeof(Pool); }

void Allocator::check(std::vector<std::string>& findings) const {
  std::vector<uint32_t> seen(group_count_, 0);
  for (uint32_t cpu = 0; cpu < pools_.size(); ++cpu) {
    const Pool& pool = pools_[cpu];
    const MutexLock lock(pool.mutex);
    uint64_t sum = 0;
    for (size_t list = 0; list < pool.heads.size(); ++list) {
      uint64_t steps = 0;
      for (uint32_t index = pool.heads[list]; index != kNone && steps <= group_count_; index = groups_[index].next, ++steps) {
        const Group& group = groups_[index];
        uint32_t bits = 0;
        for (const uint64_t word : group.free_bits) bits += static_cast<uint32_t>(std::popcount(word));
        const List right = bits == 0 ? List::kFull : bits == kGroupBlocks ? List::kWhole : List::kPartial;
        if (bits != group.free_count) {
          findings.push_back(fmt::format("A1: group {} counts {} free blocks, its bitmap {}", index, group.free_count, bits));
        }
        if (static_cast<size_t>(right) != list || group.list != right || group.pool.load(std::memory_order_relaxed) != cpu) {
          findings.push_back(fmt::format("A1: group {} is on the wrong list", index));
        }
        if (seen[index]++ != 0) findings.push_back(fmt::format("A1: group {} is on two lists", index));
        sum += bits;
      }
    }
    if (sum != pool.free_count.load(std::memory_order_relaxed)) {
      findings.push_back(fmt::format("A2: pool {} counts {} free blocks, its groups have {}", cpu, pool.free_count.load(), sum));
    }
  }
  for (uint32_t index = 0; index < group_count_; ++index) {
    if (seen[index] == 0) findings.push_back(fmt::format("A1: group {} is on no list", index));
  }
}

void Allocator::corrupt_for_test(int invariant) {
  if (invariant == 1) {
    groups_[group_count_ - 1].free_count ^= 1;
  } else {
    pools_[0].free_count.fetch_add(1);
  }
}

}  // namespace daxlab::native
