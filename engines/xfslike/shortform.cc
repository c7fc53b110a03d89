#include "engines/xfslike/shortform.h"

#include <algorithm>
#include <cstring>

#include "engines/base/check.h"

namespace daxlab::xfslike {

namespace {

constexpr uint32_t kFirstOffset = DirBlocks::kFirstCookie * kDirUnit;
constexpr uint32_t kNameFixedBytes = 1 + 2 + 1;  ///< Of a name's record, its number and the name itself apart.
static_assert((kShortFormBytesMax - 6) / (kNameFixedBytes + 1 + 4) <= kShortNamesMax);

uint32_t end_of(const ShortForm::Name& name) { return name.offset + dir_entry_bytes(name.name.size()); }

/// Takes fields off the front of bytes.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  bool take(void* to, size_t size_bytes) {
    if (bytes_.size() < size_bytes) return false;
    std::memcpy(to, bytes_.data(), size_bytes);
    bytes_ = bytes_.subspan(size_bytes);
    return true;
  }
  bool take_ino(uint64_t& ino, bool wide) {
    ino = 0;
    return take(&ino, wide ? 8 : 4) && ino != 0 && ino >> 48 != kDirFreeTag;
  }
  bool take_name(std::string_view& name, size_t size_bytes) {
    if (bytes_.size() < size_bytes || size_bytes == 0) return false;
    name = {reinterpret_cast<const char*>(bytes_.data()), size_bytes};
    bytes_ = bytes_.subspan(size_bytes);
    return true;
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace

Result<ShortForm> ShortForm::read(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  ShortFormDisk header;
  ShortForm form;
  if (!reader.take(&header, sizeof header) || header.wide > 1 || header.count > kShortNamesMax) return Errc::kCorrupt;
  const bool wide = header.wide == 1;
  if (!reader.take_ino(form.parent_, wide)) return Errc::kCorrupt;
  for (uint32_t i = 0; i < header.count; ++i) {
    uint8_t name_bytes = 0;
    uint16_t offset = 0;
    uint8_t kind = 0;
    Name name{};
    if (!reader.take(&name_bytes, 1) || !reader.take(&offset, 2) || !reader.take_name(name.name, name_bytes)) return Errc::kCorrupt;
    if (!reader.take(&kind, 1) || !reader.take_ino(name.target.ino, wide)) return Errc::kCorrupt;
    if (kind < static_cast<uint8_t>(NodeKind::kFile) || kind > static_cast<uint8_t>(NodeKind::kBlockDevice)) return Errc::kCorrupt;
    name.target.kind = static_cast<NodeKind>(kind);
    name.offset = offset;
    if (!form.append(name)) return Errc::kCorrupt;
  }
  if (!reader.at_end()) return Errc::kCorrupt;
  return form;
}

ShortForm::Name* ShortForm::find(std::string_view name) {
  for (Name& at : names()) {
    if (at.name == name) return &at;
  }
  return nullptr;
}

bool ShortForm::append(const Name& name) {
  const uint32_t behind = count_ == 0 ? kFirstOffset : end_of(names_[count_ - 1]);
  const bool placed = name.offset >= behind && name.offset % kDirUnit == 0 && end_of(name) <= kDirBlockBytesMax;
  if (!placed || count_ == kShortNamesMax) return false;
  names_[count_++] = name;
  return true;
}

/// Behind the last name, else in the first gap that is long enough: a block must have room for all and their index.
ShortForm::Name* ShortForm::add(std::string_view name, const DirTarget& target, uint32_t block_bytes) {
  const uint32_t length = dir_entry_bytes(name.size());
  const uint32_t last_end = count_ == 0 ? kFirstOffset : end_of(names_[count_ - 1]);
  if (count_ == kShortNamesMax || !DirBlocks::fits(block_bytes, last_end, count_ + 1)) return nullptr;
  uint32_t index = count_;
  uint32_t offset = last_end;
  if (!DirBlocks::fits(block_bytes, last_end + length, count_ + 1)) {
    offset = kFirstOffset;
    for (index = 0; index < count_ && names_[index].offset < offset + length; ++index) offset = end_of(names_[index]);
    if (index == count_) return nullptr;
  }
  std::copy_backward(names_.begin() + index, names_.begin() + count_, names_.begin() + count_ + 1);
  ++count_;
  names_[index] = {name, target, offset};
  return &names_[index];
}

void ShortForm::erase(const Name* name) {
  const auto index = name - names_.data();
  DAXLAB_CHECK(index >= 0 && static_cast<uint32_t>(index) < count_);
  std::copy(names_.begin() + index + 1, names_.begin() + count_, names_.begin() + index);
  --count_;
}

bool ShortForm::wide() const {
  const auto large = [](const Name& name) { return name.target.ino >> 32 != 0; };
  return parent_ >> 32 != 0 || std::any_of(names().begin(), names().end(), large);
}

uint32_t ShortForm::size_bytes() const {
  const uint32_t ino_bytes = wide() ? 8 : 4;
  auto bytes = static_cast<uint32_t>(sizeof(ShortFormDisk)) + ino_bytes;
  for (const Name& name : names()) bytes += kNameFixedBytes + static_cast<uint32_t>(name.name.size()) + ino_bytes;
  return bytes;
}

void ShortForm::write(std::byte* to) const {
  const bool wide = this->wide();
  const auto put = [&](const void* from, size_t size_bytes) {
    std::memcpy(to, from, size_bytes);
    to += size_bytes;
  };
  const auto put_byte = [&](size_t value) { *to++ = static_cast<std::byte>(value); };
  put_byte(count_);
  put_byte(wide ? 1 : 0);
  put(&parent_, wide ? 8 : 4);
  for (const Name& name : names()) {
    put_byte(name.name.size());
    const auto offset = static_cast<uint16_t>(name.offset);
    put(&offset, sizeof offset);
    put(name.name.data(), name.name.size());
    put_byte(static_cast<size_t>(name.target.kind));
    put(&name.target.ino, wide ? 8 : 4);
  }
}

}  // namespace daxlab::xfslike
