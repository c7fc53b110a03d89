// Which images of one crash point are made, and in which order, within a budget. Inside engines/pmem only.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "engines/pmem/crash_choice.h"
#include "engines/pmem/crash_images.h"
#include "engines/pmem/in_flight.h"

namespace daxlab::pmem::detail {

class CrashPlan {
 public:
  /// A plan for the point at which `in_flight` stands. `reads` may grow until the third choice is asked for.
  CrashPlan(const InFlight& in_flight, const CrashOptions& options, const std::unordered_set<uint64_t>& reads);

  std::optional<Choice> next();

 private:
  /// The classes behind none and all.
  enum Class : uint8_t { kOne, kBut, kPart, kSet, kTwo, kClasses };
  struct Part {
    uint32_t line;
    LineChoice choice;
    bool others_all;
  };
  /// A seeded walk without repetition over some of the numbers below `size`.
  struct Walk {
    uint64_t size = 0;
    uint64_t quota = 0;
    uint64_t done = 0;
    uint64_t start = 0;
    uint64_t stride = 1;
  };

  void lay_out();
  void list_parts();
  void list_parts_of(uint32_t rank, const Line& line, std::vector<LineChoice>& parts) const;
  void share_budget();
  uint64_t seed_for(uint64_t purpose) const;
  std::optional<Choice> member(Class which, uint64_t index) const;

  const InFlight& in_flight_;
  const CrashOptions& options_;
  const std::unordered_set<uint64_t>& reads_;
  uint64_t step_ = 0;
  std::vector<Part> parts_;
  std::vector<uint32_t> read_ranks_;
  uint64_t read_sets_ = 0;  // members of kSet that are subsets of read_ranks_; the rest are random
  bool read_sets_by_mask_ = false;
  Walk walks_[kClasses];
};

}  // namespace daxlab::pmem::detail
