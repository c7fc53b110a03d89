#include "engines/native/commit_slots.h"

#include <fmt/core.h>

#include "engines/native/seal.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {
constexpr int kSlotShift = 56;
}

uint64_t* CommitSlots::word(uint32_t slot) const {
  return &reinterpret_cast<CommitSlotDisk*>(region_.block_address(kCommitBlock))[slot].committed;
}

void CommitSlots::format() {
  Line block[kCommitSlots]{};
  static_assert(sizeof block == kBlockBytes);
  for (uint32_t slot = 0; slot < kCommitSlots; ++slot) {
    CommitSlotDisk disk{};
    disk.committed = seal_number(0, seed_, slot);
    std::memcpy(&block[slot], &disk, sizeof disk);
  }
  pmem::stream(region_.block_address(kCommitBlock), block, sizeof block);
}

Result<void> CommitSlots::load() {
  for (uint32_t slot = 0; slot < kCommitSlots; ++slot) {
    const auto number = open_number(pmem::load(word(slot)), seed_, slot);
    if (!number) return Error(Errc::kCorrupt, fmt::format("commit word {} is damaged", slot));
    slots_[slot].committed = *number;
  }
  return {};
}

bool CommitSlots::plausible(uint64_t transaction) {
  return (transaction >> kSlotShift) < kCommitSlots && (transaction & ~(uint64_t{0xff} << kSlotShift)) <= kNumberMask;
}

bool CommitSlots::committed(uint64_t transaction) const {
  return plausible(transaction) && (transaction & kNumberMask) <= slots_[transaction >> kSlotShift].committed;
}

CommitSlots::Transaction::Transaction(CommitSlots& slots, uint32_t slot) : slots_(slots), slot_(slot) {
  slots.slots_[slot].mutex.lock();
  number_ = uint64_t{slot} << kSlotShift | (slots.slots_[slot].committed + 1);
}

CommitSlots::Transaction::~Transaction() { slots_.slots_[slot_].mutex.unlock(); }

void CommitSlots::Transaction::commit() {
  pmem::fence();
  const uint64_t committed = number_ & kNumberMask;
  uint64_t* const word = slots_.word(slot_);
  pmem::store_commit(word, seal_number(committed, slots_.seed_, slot_));
  pmem::persist(word, sizeof *word);
  slots_.slots_[slot_].committed = committed;
}

}  // namespace daxlab::native
