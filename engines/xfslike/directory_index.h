// A directory as the rest of the file system sees it: names to inode numbers, whether they lie in the inode or in blocks.
//
// A small directory is in the inode's literal area (short form); when that is full it moves into one block and from there on
// through the forms of DirBlocks, and back when enough names are gone. Cookies hold across all of it: a short-form entry carries
// the place that it would have in a block, as XFS's does (fs/xfs/libxfs/xfs_dir2_sf.c).
//
// Threads: the directory's inode lock, shared for lookup, list, parent, is_empty and insert_blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engines/api/types.h"
#include "engines/base/result.h"
#include "engines/xfslike/dirblock.h"
#include "engines/xfslike/metadata_bytes.h"
#include "engines/xfslike/shortform.h"

namespace daxlab::xfslike {

/// What a directory asks of its inode, which is joined to the running transaction whenever something is to be changed.
class DirectoryHome {
 public:
  virtual ~DirectoryHome() = default;
  virtual uint64_t ino() const = 0;
  virtual BlockSpace& blocks() = 0;

  virtual bool is_short() const = 0;
  virtual std::span<const std::byte> short_form() const = 0;
  virtual uint32_t short_form_bytes_max() const = 0;
  /// Replaces the short form's bytes; or, from blocks, all of which are gone, goes back into the inode.
  virtual void set_short_form(std::span<const std::byte> bytes) = 0;
  /// The literal area becomes an empty extent map.
  virtual void leave_short_form() = 0;

  /// Bytes of the short form, or of the data blocks with holes: what stat() says. Logged by the caller with the inode's times.
  virtual uint64_t size_bytes() const = 0;
  virtual void set_size_bytes(uint64_t size_bytes) = 0;
};

/// The literal area of a new directory: what mkfs writes for the root, too.
std::vector<std::byte> empty_short_form(uint64_t parent);

class DirectoryIndex {
 public:
  explicit DirectoryIndex(DirectoryHome& home) : home_(home) {}

  /// A new directory: the short form without names.
  void make_empty(uint64_t parent);

  // Names are 1 to 255 bytes and neither "." nor "..". A failure other than kExists, kNotFound and kFileTooBig may leave the transaction
  // dirty; with insert_blocks() or replace_blocks() reserved there is no kNoSpace.
  Result<DirFound> lookup(std::string_view name) const;                       ///< kNotFound.
  Result<uint64_t> insert(std::string_view name, const DirTarget& target);    ///< The cookie; kExists, kFileTooBig.
  Result<DirFound> erase(std::string_view name);                              ///< What it was; kNotFound.
  Result<DirFound> replace(std::string_view name, const DirTarget& target);   ///< What it was; kNotFound.
  Result<bool> is_empty() const;                                              ///< No name but "." and "..".
  Result<uint64_t> parent() const;
  Result<void> set_parent(uint64_t parent);
  /// Names with cookies above `cookie` (0: all), ascending, until `visit` returns false. Without "." and "..".
  Result<void> list(uint64_t cookie, const std::function<bool(const DirectoryEntry&)>& visit) const;

  /// Objects of blocks() that an insert of a name of that many bytes, as the next change, adds at most: what the caller reserves.
  Result<uint32_t> insert_blocks(size_t name_bytes) const;
  /// ... and a replace or set_parent with this number: none but where a short form gets its first number above 32 bits. An erase
  /// never adds any.
  uint32_t replace_blocks(uint64_t ino) const;
  /// Every invariant of the directory's own structure; each finding goes to `report`, false stops. Returns the number of names.
  Result<uint64_t> verify(const std::function<bool(std::string_view finding)>& report) const;

 private:
  Result<bool> store_short(const ShortForm& form);
  Result<void> to_blocks();
  Result<void> to_short();
  template <typename Use>
  auto in_blocks(Use use) const;

  DirectoryHome& home_;
};

}  // namespace daxlab::xfslike
