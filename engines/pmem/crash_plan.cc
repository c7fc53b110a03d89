#include "engines/pmem/crash_plan.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_set>

#include "engines/base/random.h"

namespace daxlab::pmem::detail {

namespace {

constexpr uint32_t kMaskedReads = 16;  ///< Up to so many lines, subsets are counted through; above, they are drawn.
constexpr uint64_t kDrawnReadSets = 256;
constexpr size_t kPartLines = 256;  ///< Lines of a point whose parts are listed.

/// Adds the ways in which a cached store over `words` can be cut: every ascending prefix and every suffix of its words. What one
/// call stores may reach the line in another order than that of its addresses.
void cut_store(uint32_t full, uint8_t words, std::vector<LineChoice>& parts) {
  uint8_t prefix = 0;
  for (unsigned word = 0; word < 8; ++word) {
    const auto bit = static_cast<uint8_t>(1u << word);
    if ((words & bit) == 0) continue;
    prefix = static_cast<uint8_t>(prefix | bit);
    const auto suffix = static_cast<uint8_t>(words & ~prefix);
    if (suffix == 0) return;
    parts.push_back({full, prefix, 0});
    parts.push_back({full, suffix, 0});
  }
}

}  // namespace

CrashPlan::CrashPlan(const InFlight& in_flight, const CrashOptions& options, const std::unordered_set<uint64_t>& reads)
    : in_flight_(in_flight), options_(options), reads_(reads) {}

uint64_t CrashPlan::seed_for(uint64_t purpose) const {
  return Random::mix(Random::mix(options_.seed, in_flight_.point()), purpose);
}

std::optional<Choice> CrashPlan::next() {
  const uint64_t step = step_++;
  const size_t line_count = in_flight_.lines().size();
  if (step == 0) return Choice{};
  if (line_count == 0) return std::nullopt;
  if (step == 1) {
    Choice all;
    all.kind = Choice::Kind::kAll;
    return all;
  }
  if (step == 2) lay_out();
  for (uint8_t which = 0; which < kClasses; ++which) {
    Walk& walk = walks_[which];
    while (walk.done < walk.quota) {
      const uint64_t index = (walk.start + walk.done * walk.stride) % walk.size;
      ++walk.done;
      if (auto choice = member(static_cast<Class>(which), index)) return choice;
    }
  }
  return std::nullopt;
}

void CrashPlan::lay_out() {
  const uint64_t line_count = in_flight_.lines().size();
  list_parts();
  uint32_t rank = 0;
  for (const auto& [line, stores] : in_flight_.lines()) {
    if (reads_.contains(line)) read_ranks_.push_back(rank);
    ++rank;
  }
  read_sets_by_mask_ = read_ranks_.size() <= kMaskedReads;
  if (read_ranks_.size() >= 3) read_sets_ = read_sets_by_mask_ ? uint64_t{1} << read_ranks_.size() : kDrawnReadSets;

  // Classes that would only repeat a smaller one are empty.
  walks_[kOne].size = line_count >= 2 ? line_count : 0;
  walks_[kBut].size = line_count >= 3 ? line_count : 0;
  walks_[kTwo].size = line_count >= 4 ? line_count * (line_count - 1) / 2 : 0;
  walks_[kPart].size = parts_.size();
  walks_[kSet].size = read_sets_ + (line_count >= 4 ? options_.random_sets : 0);
  share_budget();
  for (uint8_t which = 0; which < kClasses; ++which) {
    Walk& walk = walks_[which];
    if (walk.size == 0 || walk.quota == walk.size) continue;
    Random random(seed_for(which));
    walk.start = random.below(walk.size);
    walk.stride = 1 + random.below(walk.size);
    while (std::gcd(walk.stride, walk.size) != 1) ++walk.stride;
  }
}

void CrashPlan::list_parts() {
  const auto& lines = in_flight_.lines();
  Random random(seed_for(kClasses));
  std::vector<LineChoice> of_line;
  uint32_t rank = 0;
  for (const auto& [number, line] : lines) {
    const uint32_t here = rank++;
    if (lines.size() > kPartLines && random.below(lines.size()) >= kPartLines) continue;
    of_line.clear();
    list_parts_of(here, line, of_line);
    for (const LineChoice& choice : of_line) {
      parts_.push_back({here, choice, false});
      if (lines.size() > 1) parts_.push_back({here, choice, true});
    }
  }
}

void CrashPlan::list_parts_of(uint32_t rank, const Line& line, std::vector<LineChoice>& parts) const {
  const uint32_t cached = line.cached_count();
  const uint8_t streamed = line.stream_words();
  uint32_t full = 0;
  for (const LineStore& store : line.stores) {
    if (store.streamed || store.durable) continue;
    if (full > 0) parts.push_back({full, 0, 0});
    cut_store(full, store.words(), parts);
    ++full;
  }
  if (streamed != 0 && cached != 0) {
    // Both kinds: the prefixes again beside the streamed words, and each kind alone.
    const size_t prefixes = parts.size();
    for (size_t i = 0; i < prefixes; ++i) parts.push_back({parts[i].full, parts[i].next_words, streamed});
    parts.push_back({UINT32_MAX, 0, 0});
    parts.push_back({0, 0, streamed});
  }
  const int bits = std::popcount(streamed);
  if (bits < 2) return;
  const uint64_t subsets = (uint64_t{1} << bits) - 2;  // none and all left out
  const uint64_t wanted = options_.images_per_point == 0 ? subsets : std::min<uint64_t>(subsets, options_.words_per_line);
  Random random(seed_for(uint64_t{kClasses} + 1 + rank));
  std::unordered_set<uint64_t> drawn;
  while (drawn.size() < wanted) {
    const uint64_t subset = wanted == subsets ? drawn.size() + 1 : 1 + random.below(subsets);
    if (!drawn.insert(subset).second) continue;
    // The subset's bits are spread over the words that were streamed.
    uint8_t words = 0;
    uint64_t rest = subset;
    for (unsigned word = 0; word < 8; ++word) {
      if ((streamed >> word & 1) == 0) continue;
      words = static_cast<uint8_t>(words | (rest & 1) << word);
      rest >>= 1;
    }
    parts.push_back({cached == 0 ? 0 : UINT32_MAX, 0, words});
  }
}

void CrashPlan::share_budget() {
  uint64_t left = 0;
  if (options_.images_per_point == 0) {
    left = UINT64_MAX;
  } else if (options_.images_per_point > 2) {
    left = options_.images_per_point - 2;
  }
  // First to each class its share, then what is over in the order of the classes.
  static constexpr uint64_t kEighths[kClasses] = {2, 1, 2, 2, 1};
  const uint64_t budget = left;
  for (uint8_t which = 0; which < kClasses; ++which) {
    walks_[which].quota = std::min(walks_[which].size, budget / 8 * kEighths[which]);
    left -= walks_[which].quota;
  }
  for (Walk& walk : walks_) {
    const uint64_t more = std::min(walk.size - walk.quota, left);
    walk.quota += more;
    left -= more;
  }
}

std::optional<Choice> CrashPlan::member(Class which, uint64_t index) const {
  Choice choice;
  switch (which) {
    case kOne:
    case kBut:
      choice.kind = which == kOne ? Choice::Kind::kOne : Choice::Kind::kBut;
      choice.first = static_cast<uint32_t>(index);
      return choice;
    case kPart:
      choice.kind = Choice::Kind::kPart;
      choice.first = parts_[index].line;
      choice.part = parts_[index].choice;
      choice.others_all = parts_[index].others_all;
      return choice;
    case kTwo: {
      // The pair (first < second) with number index = second * (second - 1) / 2 + first.
      uint64_t second = 1;
      while ((second + 1) * second / 2 <= index) ++second;
      choice.kind = Choice::Kind::kTwo;
      choice.first = static_cast<uint32_t>(index - second * (second - 1) / 2);
      choice.second = static_cast<uint32_t>(second);
      return choice;
    }
    case kSet:
      break;
    case kClasses:
      return std::nullopt;
  }
  if (index >= read_sets_) {
    choice.kind = Choice::Kind::kRandom;
    choice.seed = seed_for(0x10000 + index - read_sets_);
    return choice;
  }
  const uint64_t subset_seed = seed_for(0x20000 + index);
  choice.kind = Choice::Kind::kSet;
  for (size_t i = 0; i < read_ranks_.size(); ++i) {
    const bool chosen = read_sets_by_mask_ ? (index >> i & 1) != 0 : (Random::mix(subset_seed, i) & 1) != 0;
    if (chosen) choice.set.push_back(read_ranks_[i]);
  }
  // None, single lines and all lines are other classes' members.
  if (choice.set.size() < 2 || choice.set.size() == in_flight_.lines().size()) return std::nullopt;
  return choice;
}

}  // namespace daxlab::pmem::detail
