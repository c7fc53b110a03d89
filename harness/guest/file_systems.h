// The kernel file systems of the exact laboratory, named as engines are: `ext4-dax:journal=fast`, `xfs-dax:lsunit=32KiB`.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engines/base/result.h"

namespace daxlab::harness {

struct FileSystem {
  std::string name;                            ///< "ext4-dax", "xfs-dax".
  std::map<std::string, std::string> options;  ///< All of them, resolved.

  std::string to_string() const;  ///< The name and the options that differ from their defaults.
  /// Arguments of mkfs.ext4 or mkfs.xfs, less the device. Identifiers and hash seeds are made of `seed`: nothing is random.
  std::string mkfs(uint64_t seed) const;
  std::string mount_options() const;
  const char* type() const { return name == "ext4-dax" ? "ext4" : "xfs"; }
};

bool names_file_system(std::string_view text);
/// kUsage names the offender and what there is.
Result<FileSystem> parse_file_system(std::string_view text);

}  // namespace daxlab::harness
