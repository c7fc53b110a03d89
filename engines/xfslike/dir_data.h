// One data block of a directory in use: entries and unused pieces, and the table of the longest of them.
//
// Invariants:
//   1. Entries and pieces cover [kDirDataAt, end()) without gaps; no two pieces touch.
//   2. The table holds the three longest pieces, longest first.
// Threads: as MetadataBytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engines/xfslike/dirblock.h"

namespace daxlab::xfslike {

inline constexpr uint32_t kDirDataAt = kDirHeaderBytes + sizeof(DirDataHeaderDisk);
inline constexpr uint32_t kDirEntryBytesMax = dir_entry_bytes(kNameBytesMax);

class DirData {
 public:
  /// A block of either kind; in the block form it ends where the leaf entries begin.
  static Result<DirData> open(MetadataBytes& bytes);
  /// A new block: one unused piece.
  static DirData create(MetadataBytes& bytes);

  bool is_block_form() const { return magic_ == kDirBlockMagic; }
  uint32_t end() const { return end_; }
  uint32_t longest() const { return best_[0].length; }
  const DirFreeDisk& best(uint32_t rank) const { return best_[rank]; }
  bool empty() const { return longest() == end_ - kDirDataAt; }

  /// An entry or an unused piece, whose length and own offset have been checked.
  struct Piece {
    uint32_t offset;
    uint32_t length;
    bool unused;
  };
  Result<Piece> piece(uint32_t offset) const;
  /// The piece that ends at `end`, which is where one ends.
  Result<Piece> piece_before(uint32_t end) const;

  struct Entry {
    uint64_t ino;
    NodeKind kind;
    std::string_view name;  ///< In place or in `scratch`.
  };
  struct Scratch {
    alignas(8) std::byte bytes[kDirEntryBytesMax];
  };
  Result<Entry> entry(const Piece& piece, Scratch& scratch) const;
  /// What the entry at `offset` stands for if it is called `name`. kCorrupt where there is none at all.
  Result<std::optional<DirTarget>> match(uint32_t offset, std::string_view name) const;

  /// A new entry at `offset`, within an unused piece.
  Result<void> insert(const Piece& unused, uint32_t offset, std::string_view name, const DirTarget& target);
  /// [offset, offset + length), an entry, is unused from now on, with what is unused around it.
  Result<void> free(uint32_t offset, uint32_t length);
  void set_target(uint32_t offset, std::string_view name, const DirTarget& target);

  /// The block form's index now begins at `end`, within the last piece, which is unused.
  Result<void> give_to_index(const Piece& last, uint32_t end);
  /// ... and now only at `end`: what was before it is unused.
  Result<void> take_from_index(uint32_t magic, uint32_t end);
  /// kCorrupt where an invariant does not hold.
  Result<void> verify() const;

 private:
  using Best = std::array<DirFreeDisk, 3>;
  DirData(MetadataBytes& bytes, uint32_t magic, uint32_t end) : bytes_(&bytes), magic_(magic), end_(end) {}
  bool valid(const DirFreeDisk& piece) const;
  void write_unused(uint32_t offset, uint32_t length);
  void put(uint32_t offset, std::string_view name, const DirTarget& target);
  Result<void> take_out(const Piece& unused, uint32_t offset, uint32_t length);
  void set_form(uint32_t magic, uint32_t end);
  static bool take(Best& best, uint32_t offset);
  static void give(Best& best, uint32_t offset, uint32_t length);
  Result<void> settle(const Best& best, uint32_t unseen);
  Result<Best> scan() const;
  void write_best(const Best& best);

  MetadataBytes* bytes_;
  uint32_t magic_;
  uint32_t end_;
  Best best_{};
};

}  // namespace daxlab::xfslike
