// The short form of a directory: all of it in the inode's literal area (XFS: fs/xfs/libxfs/xfs_dir2_sf.c).
//
// ShortFormDisk, the parent's number, then for each name its length (1 byte), the place it would have in a block (2), the name, its
// kind (1) and its number. Numbers have 4 bytes, or all of them 8 once one of them needs it. Names are in the order of their places,
// which are their cookies times 8 and do not overlap.
//
// Threads: a ShortForm is a value; its names point into the bytes that it was read from.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engines/base/result.h"
#include "engines/pmem/on_media.h"
#include "engines/xfslike/dirblock.h"

namespace daxlab::xfslike {

struct ShortFormDisk {
  uint8_t count;
  uint8_t wide;  ///< 1: numbers have 8 bytes.
};
DAXLAB_ON_MEDIA(ShortFormDisk, 2, 1);

inline constexpr uint32_t kShortFormBytesMax = 512;
inline constexpr uint32_t kShortNamesMax = 56;  ///< Of the shortest names in that much.

class ShortForm {
 public:
  struct Name {
    std::string_view name;
    DirTarget target;
    uint32_t offset;  ///< In its would-be block.
  };

  ShortForm() = default;
  explicit ShortForm(uint64_t parent) : parent_(parent) {}
  /// kCorrupt where a field is out of range or the bytes do not end with the last name.
  static Result<ShortForm> read(std::span<const std::byte> bytes);

  uint64_t parent() const { return parent_; }
  void set_parent(uint64_t parent) { parent_ = parent; }
  std::span<const Name> names() const { return {names_.data(), count_}; }
  std::span<Name> names() { return {names_.data(), count_}; }
  Name* find(std::string_view name);

  /// Adds a name where it would go in a block of `block_bytes`; null where it would not fit there, or in kShortNamesMax.
  Name* add(std::string_view name, const DirTarget& target, uint32_t block_bytes);
  /// Adds a name that has a place, behind all others; false where it cannot be.
  bool append(const Name& name);
  void erase(const Name* name);

  uint32_t size_bytes() const;
  /// size_bytes() of them.
  void write(std::byte* to) const;

 private:
  bool wide() const;

  uint64_t parent_ = 0;
  uint32_t count_ = 0;
  std::array<Name, kShortNamesMax> names_;
};

}  // namespace daxlab::xfslike
