// One image of a crash point: what of each in-flight line became durable. Its text is an image's id behind the point's number.
// Inside engines/pmem only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engines/base/result.h"
#include "engines/pmem/in_flight.h"

namespace daxlab::pmem::detail {

/// Lines are named by their rank among the in-flight lines of the point, in order of their place.
struct Choice {
  enum class Kind : uint8_t {
    kNone,    ///< "none"
    kAll,     ///< "all"
    kOne,     ///< "one-3": line 3 alone
    kBut,     ///< "but-3": all lines but line 3
    kPart,    ///< "part-3-2-0f-00-all": of line 3 two stores, words 0f of the next, words 00 of the streaming stores; the others
              ///< all (or none)
    kTwo,     ///< "two-3-5"
    kSet,     ///< "set-3.5.9": these lines
    kRandom,  ///< "random-9f3c": half of the lines, drawn with this seed
  };
  Kind kind = Kind::kNone;
  uint32_t first = 0;
  uint32_t second = 0;
  LineChoice part = kNothing;
  bool others_all = false;
  uint64_t seed = 0;
  std::vector<uint32_t> set;  ///< Ascending.

  std::string to_string() const;
  /// kUsage when it is no choice or names a line that is not below `line_count`.
  static Result<Choice> parse(std::string_view text, size_t line_count);
  /// What becomes durable of line `rank`.
  LineChoice of(uint32_t rank) const;
};

}  // namespace daxlab::pmem::detail
