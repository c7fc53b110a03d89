#include "engines/xfslike/dir_data.h"

#include <algorithm>
#include <cstring>

#include "engines/base/check.h"

namespace daxlab::xfslike {

namespace {

constexpr uint32_t kBestAt = kDirHeaderBytes + offsetof(DirDataHeaderDisk, best);
constexpr uint32_t kEntryBytesMin = dir_entry_bytes(1);

uint16_t load_u16(const std::byte* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
uint16_t to_u16(uint32_t value) { return static_cast<uint16_t>(value); }

/// Numbers are stored with the high byte first: an unused piece begins with 0xffff, which is then no number's start.
uint64_t load_ino(const std::byte* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap64(value);
}
bool kind_is_known(uint8_t kind) {
  return kind >= static_cast<uint8_t>(NodeKind::kFile) && kind <= static_cast<uint8_t>(NodeKind::kBlockDevice);
}

}  // namespace

Result<DirData> DirData::open(MetadataBytes& bytes) {
  const auto header = bytes.load<DirDataHeaderDisk>(kDirHeaderBytes);
  uint32_t end = bytes.size_bytes();
  if (header.magic == kDirBlockMagic) {
    const auto tail = bytes.load<DirBlockTailDisk>(end - static_cast<uint32_t>(sizeof(DirBlockTailDisk)));
    const uint32_t room = end - kDirDataAt - static_cast<uint32_t>(sizeof tail);
    if (tail.count > room / sizeof(DirLeafEntryDisk) || tail.stale > tail.count) return Errc::kCorrupt;
    end -= static_cast<uint32_t>(sizeof tail + tail.count * sizeof(DirLeafEntryDisk));
  } else if (header.magic != kDirDataMagic) {
    return Errc::kCorrupt;
  }
  DirData data(bytes, header.magic, end);
  for (uint32_t i = 0; i < 3; ++i) {
    data.best_[i] = header.best[i];
    if (!data.valid(header.best[i])) return Errc::kCorrupt;
    if (i > 0 && header.best[i].length > header.best[i - 1].length) return Errc::kCorrupt;
  }
  return data;
}

DirData DirData::create(MetadataBytes& bytes) {
  DirData data(bytes, kDirDataMagic, bytes.size_bytes());
  const uint32_t length = data.end_ - kDirDataAt;
  data.best_[0] = {to_u16(kDirDataAt), to_u16(length)};
  DirDataHeaderDisk header{kDirDataMagic, {}};
  header.best[0] = data.best_[0];
  bytes.store(kDirHeaderBytes, header);
  data.write_unused(kDirDataAt, length);
  return data;
}

bool DirData::valid(const DirFreeDisk& piece) const {
  if (piece.length == 0) return true;
  const uint32_t end = uint32_t{piece.offset} + piece.length;
  return piece.offset >= kDirDataAt && piece.offset % kDirUnit == 0 && piece.length % kDirUnit == 0 && end <= end_;
}

Result<DirData::Piece> DirData::piece(uint32_t offset) const {
  if (offset < kDirDataAt || offset % kDirUnit != 0 || offset >= end_) return Errc::kCorrupt;
  const uint32_t room = end_ - offset;
  alignas(8) std::byte scratch[kEntryBytesMin];
  const std::byte* at = bytes_->read(offset, std::min(room, kEntryBytesMin), scratch);
  Piece piece{offset, 0, load_u16(at) == kDirFreeTag};
  if (piece.unused) {
    piece.length = load_u16(at + offsetof(DirUnusedDisk, length));
    if (piece.length == 0 || piece.length % kDirUnit != 0) return Errc::kCorrupt;
  } else {
    if (room < kEntryBytesMin || at[8] == std::byte{0}) return Errc::kCorrupt;
    piece.length = dir_entry_bytes(static_cast<uint8_t>(at[8]));
  }
  if (piece.length > room) return Errc::kCorrupt;
  if (bytes_->load<uint16_t>(offset + piece.length - 2) != to_u16(offset)) return Errc::kCorrupt;
  return piece;
}

Result<DirData::Piece> DirData::piece_before(uint32_t end) const {
  DAXLAB_ASSIGN(const Piece before, piece(bytes_->load<uint16_t>(end - 2)));
  if (before.offset + before.length != end) return Errc::kCorrupt;
  return before;
}

Result<DirData::Entry> DirData::entry(const Piece& piece, Scratch& scratch) const {
  const std::byte* at = bytes_->read(piece.offset, piece.length, scratch.bytes);
  const auto name_bytes = static_cast<uint8_t>(at[8]);
  const auto kind = static_cast<uint8_t>(at[9 + name_bytes]);
  const uint64_t ino = load_ino(at);
  if (ino == 0 || !kind_is_known(kind)) return Errc::kCorrupt;
  return Entry{ino, static_cast<NodeKind>(kind), {reinterpret_cast<const char*>(at + 9), name_bytes}};
}

Result<std::optional<DirTarget>> DirData::match(uint32_t offset, std::string_view name) const {
  DAXLAB_ASSIGN(const Piece at, piece(offset));
  if (at.unused) return Errc::kCorrupt;
  std::optional<DirTarget> target;
  if (at.length != dir_entry_bytes(name.size())) return target;
  Scratch scratch;
  DAXLAB_ASSIGN(const Entry found, entry(at, scratch));
  if (found.name == name) target = DirTarget{found.ino, found.kind};
  return target;
}

void DirData::write_unused(uint32_t offset, uint32_t length) {
  const DirUnusedDisk unused{kDirFreeTag, to_u16(length)};
  bytes_->store(offset, unused);
  bytes_->store(offset + length - 2, to_u16(offset));
}

void DirData::put(uint32_t offset, std::string_view name, const DirTarget& target) {
  DAXLAB_CHECK(target.ino != 0 && target.ino >> 48 != kDirFreeTag && !name.empty() && name.size() <= kNameBytesMax);
  const uint32_t length = dir_entry_bytes(name.size());
  std::byte bytes[kDirEntryBytesMax];
  std::memset(bytes + length - 2 * kDirUnit, 0, 2 * kDirUnit);  // what padding there is
  const uint64_t ino = __builtin_bswap64(target.ino);
  std::memcpy(bytes, &ino, sizeof ino);
  bytes[8] = static_cast<std::byte>(name.size());
  std::memcpy(bytes + 9, name.data(), name.size());
  bytes[9 + name.size()] = static_cast<std::byte>(target.kind);
  const uint16_t tag = to_u16(offset);
  std::memcpy(bytes + length - 2, &tag, sizeof tag);
  bytes_->write(offset, bytes, length);
}

void DirData::set_target(uint32_t offset, std::string_view name, const DirTarget& target) {
  DAXLAB_CHECK(target.ino != 0 && target.ino >> 48 != kDirFreeTag);
  bytes_->store(offset, __builtin_bswap64(target.ino));
  bytes_->store(offset + 9 + static_cast<uint32_t>(name.size()), static_cast<uint8_t>(target.kind));
}

bool DirData::take(Best& best, uint32_t offset) {
  for (uint32_t i = 0; i < 3; ++i) {
    if (best[i].length == 0 || best[i].offset != offset) continue;
    for (uint32_t j = i; j < 2; ++j) best[j] = best[j + 1];
    best[2] = {};
    return true;
  }
  return false;
}

void DirData::give(Best& best, uint32_t offset, uint32_t length) {
  DirFreeDisk piece{to_u16(offset), to_u16(length)};
  for (DirFreeDisk& slot : best) {
    if (piece.length > slot.length) std::swap(piece, slot);
  }
}

/// `unseen`: no piece outside the table was longer than this. Where the table could now lack one of them, all pieces are looked at.
Result<void> DirData::settle(const Best& best, uint32_t unseen) {
  const bool sure = unseen == 0 || best[2].length >= unseen;
  if (sure) {
    write_best(best);
    return {};
  }
  DAXLAB_ASSIGN(const Best scanned, scan());
  write_best(scanned);
  return {};
}

Result<DirData::Best> DirData::scan() const {
  Best best{};
  for (uint32_t offset = kDirDataAt; offset < end_;) {
    DAXLAB_ASSIGN(const Piece at, piece(offset));
    if (at.unused) give(best, at.offset, at.length);
    offset += at.length;
  }
  return best;
}

void DirData::write_best(const Best& best) {
  if (std::memcmp(best.data(), best_.data(), sizeof best_) == 0) return;
  best_ = best;
  bytes_->write(kBestAt, best_.data(), sizeof best_);
}

Result<void> DirData::insert(const Piece& unused, uint32_t offset, std::string_view name, const DirTarget& target) {
  put(offset, name, target);
  return take_out(unused, offset, dir_entry_bytes(name.size()));
}

/// What lies at [offset, offset + length) has been written already, or is no longer part of the data: all pieces may be looked at here.
Result<void> DirData::take_out(const Piece& unused, uint32_t offset, uint32_t length) {
  DAXLAB_CHECK(unused.unused && offset >= unused.offset && offset + length <= unused.offset + unused.length);
  Best best = best_;
  const uint32_t unseen = best[2].length;
  const bool seen = take(best, unused.offset);
  const uint32_t front = offset - unused.offset;
  const uint32_t back = unused.length - front - length;
  if (front > 0) {
    write_unused(unused.offset, front);
    give(best, unused.offset, front);
  }
  if (back > 0) {
    write_unused(offset + length, back);
    give(best, offset + length, back);
  }
  return settle(best, seen ? unseen : 0);
}

Result<void> DirData::free(uint32_t offset, uint32_t length) {
  Best best = best_;
  const uint32_t unseen = best[2].length;
  Piece merged{offset, length, true};
  if (offset > kDirDataAt) {
    DAXLAB_ASSIGN(const Piece before, piece_before(offset));
    if (before.unused) {
      take(best, before.offset);
      merged = {before.offset, before.length + length, true};
    }
  }
  if (offset + length < end_) {
    DAXLAB_ASSIGN(const Piece after, piece(offset + length));
    if (after.unused) {
      take(best, after.offset);
      merged.length += after.length;
    }
  }
  write_unused(merged.offset, merged.length);
  give(best, merged.offset, merged.length);
  return settle(best, unseen);
}

void DirData::set_form(uint32_t magic, uint32_t end) {
  magic_ = magic;
  end_ = end;
  if (bytes_->load<uint32_t>(kDirHeaderBytes) != magic) bytes_->store(kDirHeaderBytes, magic);
}

Result<void> DirData::give_to_index(const Piece& last, uint32_t end) {
  DAXLAB_CHECK(last.offset + last.length == end_);
  const uint32_t length = end_ - end;
  set_form(kDirBlockMagic, end);
  return take_out(last, end, length);
}

Result<void> DirData::take_from_index(uint32_t magic, uint32_t end) {
  const uint32_t from = end_;
  set_form(magic, end);
  return free(from, end - from);
}

Result<void> DirData::verify() const {
  Best best{};
  bool unused_before = false;
  for (uint32_t offset = kDirDataAt; offset < end_;) {
    DAXLAB_ASSIGN(const Piece at, piece(offset));
    if (at.unused && unused_before) return Error(Errc::kCorrupt, "two unused pieces touch");
    unused_before = at.unused;
    if (at.unused) {
      give(best, at.offset, at.length);
      const auto known = [&](const DirFreeDisk& slot) { return slot.length != 0 && slot.offset == at.offset; };
      const auto found = std::find_if(best_.begin(), best_.end(), known);
      if (found != best_.end() && found->length != at.length) return Error(Errc::kCorrupt, "a length in the table of unused pieces");
    } else {
      Scratch scratch;
      DAXLAB_TRY(entry(at, scratch));
    }
    offset += at.length;
  }
  // Which of several of the same length are in the table is left open.
  for (uint32_t i = 0; i < 3; ++i) {
    if (best[i].length != best_[i].length) return Error(Errc::kCorrupt, "the table of unused pieces");
    if (best_[i].length == 0) continue;
    DAXLAB_ASSIGN(const Piece at, piece(best_[i].offset));
    if (!at.unused || at.length != best_[i].length) return Error(Errc::kCorrupt, "the table of unused pieces");
  }
  return {};
}

}  // namespace daxlab::xfslike
