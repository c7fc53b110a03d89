#include "engines/base/units.h"

#include <array>
#include <cctype>
#include <charconv>

namespace daxlab {

namespace {

Error bad_size(std::string_view text) {
  return {Errc::kUsage, "'" + std::string(text) + "' is not a size: a whole number with B, KiB, MiB, GiB or TiB"};
}

/// The power of two that a suffix stands for, or -1.
int shift_of(std::string_view suffix) {
  if (suffix.empty() || suffix == "B" || suffix == "b") return 0;
  int shift = 0;
  switch (std::tolower(static_cast<unsigned char>(suffix[0]))) {
    case 'k':
      shift = 10;
      break;
    case 'm':
      shift = 20;
      break;
    case 'g':
      shift = 30;
      break;
    case 't':
      shift = 40;
      break;
    default:
      return -1;
  }
  const std::string_view rest = suffix.substr(1);
  return rest.empty() || rest == "B" || rest == "b" || rest == "iB" || rest == "ib" ? shift : -1;
}

}  // namespace

Result<uint64_t> parse_size(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return bad_size(text);
  const int shift = shift_of(text.substr(static_cast<size_t>(end - text.data())));
  if (shift < 0 || number > (UINT64_MAX >> shift)) return bad_size(text);
  return number << shift;
}

std::string format_size(uint64_t size_bytes) {
  struct Unit {
    uint64_t bytes;
    const char* suffix;
  };
  static constexpr std::array<Unit, 4> kUnits = {{{kGiB * kKiB, "TiB"}, {kGiB, "GiB"}, {kMiB, "MiB"}, {kKiB, "KiB"}}};
  for (const Unit& unit : kUnits) {
    if (size_bytes != 0 && size_bytes % unit.bytes == 0) return std::to_string(size_bytes / unit.bytes) + unit.suffix;
  }
  return std::to_string(size_bytes);
}

}  // namespace daxlab
