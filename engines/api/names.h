// What may be a name in a Directory: the check that every engine makes before it does anything.
#pragma once

#include <cstring>
#include <string_view>

#include "engines/api/types.h"
#include "engines/base/result.h"

namespace daxlab {

/// kNameTooLong beyond 255 bytes; kInvalid for nothing, ".", "..", and names with '/' or NUL.
inline Result<void> check_name(std::string_view name) {
  if (name.empty()) return Errc::kInvalid;
  if (name.size() > kNameBytesMax) return Errc::kNameTooLong;
  if (name[0] == '.' && (name.size() == 1 || (name.size() == 2 && name[1] == '.'))) return Errc::kInvalid;
  if (std::memchr(name.data(), '/', name.size()) != nullptr) return Errc::kInvalid;
  if (std::memchr(name.data(), '\0', name.size()) != nullptr) return Errc::kInvalid;
  return {};
}

/// The same for a symlink's target: 1 to 4095 bytes without NUL; kNotFound for nothing, as symlink(2).
inline Result<void> check_symlink_target(std::string_view target) {
  if (target.empty()) return Errc::kNotFound;
  if (target.size() > kSymlinkBytesMax) return Errc::kNameTooLong;
  if (std::memchr(target.data(), '\0', target.size()) != nullptr) return Errc::kInvalid;
  return {};
}

}  // namespace daxlab
