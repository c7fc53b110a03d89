#include "engines/xfslike/dirblock.h"

#include <algorithm>
#include <utility>

#include "engines/xfslike/dir_forms.h"

namespace daxlab::xfslike {

namespace {
constexpr uint64_t kBlocksMax = kDirSpaceBytes / kDirBlockBytesMin;
}

uint32_t dir_hash(std::string_view name) {
  uint32_t hash = 0;
  for (const char c : name) hash = (hash << 7 | hash >> 25) ^ static_cast<unsigned char>(c);
  return hash;
}

DirBlocks::DirBlocks(BlockSpace& space, uint64_t& size_bytes)
    : space_(space),
      size_bytes_(size_bytes),
      block_bytes_(space.block_bytes()),
      index_at_(kDirSpaceBytes / block_bytes_),
      free_at_(2 * index_at_),
      pairs_max_((block_bytes_ - kDirPairsAt) / kDirPairBytes),
      free_max_((block_bytes_ - kDirHeaderBytes - static_cast<uint32_t>(sizeof(DirFreeIndexHeaderDisk))) / 2) {
  DAXLAB_CHECK(block_bytes_ >= kDirBlockBytesMin && block_bytes_ <= kDirBlockBytesMax && (block_bytes_ & (block_bytes_ - 1)) == 0);
}

uint32_t DirBlocks::data_blocks() const { return static_cast<uint32_t>(std::min(size_bytes_ / block_bytes_, kBlocksMax)); }

uint32_t DirBlocks::address_of(uint64_t block, uint32_t offset) const {
  return static_cast<uint32_t>((block * block_bytes_ + offset) / kDirUnit);
}

/// A block that something points to: its absence is damage, not the absence of a name.
Result<MetadataRef> DirBlocks::need(uint64_t address, Access access) const {
  auto bytes = space_.get(address, access);
  if (!bytes.ok() && bytes.code() == Errc::kNotFound) return Error(Errc::kCorrupt, "a directory block is missing");
  return bytes;
}

Result<DirBlocks::Form> DirBlocks::form() const {
  if (size_bytes_ == 0 || size_bytes_ % block_bytes_ != 0 || size_bytes_ > kDirSpaceBytes) return Errc::kCorrupt;
  if (size_bytes_ == block_bytes_) {
    DAXLAB_ASSIGN(const MetadataRef first, need(0, Access::kRead));
    if (first->load<uint32_t>(kDirHeaderBytes) == kDirBlockMagic) return Form::kBlock;
  }
  DAXLAB_ASSIGN(const MetadataRef index, need(index_at_, Access::kRead));
  switch (index->load<uint32_t>(kDirHeaderBytes)) {
    case kDirLeafMagic: return Form::kLeaf;
    case kDirNodeMagic:
    case kDirNodeLeafMagic: return Form::kNode;
    default: return Errc::kCorrupt;
  }
}

Result<std::optional<DirTarget>> DirBlocks::match(uint32_t address, std::string_view name) const {
  const uint64_t block = block_of(address);
  if (block >= data_blocks()) return Errc::kCorrupt;
  DAXLAB_ASSIGN(const MetadataRef bytes, need(block, Access::kRead));
  DAXLAB_ASSIGN(const DirData data, DirData::open(*bytes));
  if (data.is_block_form()) return Errc::kCorrupt;
  return data.match(offset_of(address), name);
}

Result<DirFound> DirBlocks::lookup(std::string_view name) const {
  const uint32_t hash = dir_hash(name);
  DAXLAB_ASSIGN(const Form form, this->form());
  std::optional<DirHit> hit;
  if (form == Form::kBlock) {
    DAXLAB_ASSIGN(const BlockForm block, open_block(Access::kRead));
    DAXLAB_ASSIGN(hit, block.find(name, hash));
  } else if (form == Form::kLeaf) {
    DAXLAB_ASSIGN(const LeafForm leaf, open_leaf(Access::kRead));
    const auto matches = [&](uint32_t address) { return match(address, name); };
    DAXLAB_ASSIGN(hit, find_among(leaf.pairs, leaf.pairs.lower_bound(hash), hash, matches));
  } else {
    DAXLAB_ASSIGN(const Path path, descend(hash));
    DAXLAB_ASSIGN(const Position position, node_find(path, name, hash));
    hit = position.hit;
  }
  if (!hit) return Errc::kNotFound;
  return hit->found();
}

/// Takes the room in the data block's longest piece.
Result<uint32_t> DirBlocks::put(DirData& data, uint64_t block, std::string_view name, const DirTarget& target) {
  const uint32_t length = dir_entry_bytes(name.size());
  DAXLAB_ASSIGN(const DirData::Piece piece, data.piece(data.best(0).offset));
  if (!piece.unused || piece.length != data.longest() || piece.length < length) return Errc::kCorrupt;
  DAXLAB_TRY(data.insert(piece, piece.offset, name, target));
  return address_of(block, piece.offset);
}

Result<uint64_t> DirBlocks::insert(std::string_view name, const DirTarget& target) {
  DAXLAB_ASSIGN(const Form form, this->form());
  std::optional<uint64_t> cookie;
  if (form == Form::kBlock) {
    DAXLAB_ASSIGN(cookie, block_insert(name, target));
    if (cookie) return *cookie;
    DAXLAB_TRY(block_to_leaf());
  }
  if (form != Form::kNode) {
    DAXLAB_ASSIGN(cookie, leaf_insert(name, target));
    if (cookie) return *cookie;
    DAXLAB_TRY(leaf_to_node());
  }
  return node_insert(name, target);
}

Result<DirFound> DirBlocks::erase(std::string_view name) {
  DAXLAB_ASSIGN(const Form form, this->form());
  switch (form) {
    case Form::kBlock: return block_erase(name);
    case Form::kLeaf: return leaf_erase(name);
    case Form::kNode: break;
  }
  return node_erase(name);
}

Result<DirFound> DirBlocks::replace(std::string_view name, const DirTarget& target) {
  DAXLAB_ASSIGN(const DirFound found, lookup(name));
  const auto address = static_cast<uint32_t>(found.cookie);
  DAXLAB_ASSIGN(const MetadataRef bytes, need(block_of(address), Access::kWrite));
  DAXLAB_ASSIGN(DirData data, DirData::open(*bytes));
  data.set_target(offset_of(address), name, target);
  return found;
}

Result<void> DirBlocks::list(uint64_t cookie, const std::function<bool(const DirectoryEntry&)>& visit) const {
  if (cookie >= kDirSpaceBytes / kDirUnit) return {};
  const uint64_t from = std::max<uint64_t>(cookie + 1, kFirstCookie) * kDirUnit;
  for (uint64_t wanted = from / block_bytes_; wanted < data_blocks(); ++wanted) {
    auto next = space_.next(wanted);
    if (!next.ok() && next.code() == Errc::kNotFound) return {};
    if (!next.ok()) return next.error();
    wanted = *next;
    if (wanted >= data_blocks()) return {};
    DAXLAB_ASSIGN(const MetadataRef bytes, need(wanted, Access::kRead));
    DAXLAB_ASSIGN(const DirData data, DirData::open(*bytes));
    if (data.is_block_form() && data_blocks() != 1) return Errc::kCorrupt;
    for (uint32_t offset = kDirDataAt; offset < data.end();) {
      DAXLAB_ASSIGN(const DirData::Piece piece, data.piece(offset));
      offset += piece.length;
      if (piece.unused || wanted * block_bytes_ + piece.offset < from) continue;
      DirData::Scratch scratch;
      DAXLAB_ASSIGN(const DirData::Entry entry, data.entry(piece, scratch));
      if (!visit({entry.name, entry.ino, entry.kind, address_of(wanted, piece.offset)})) return {};
    }
  }
  return {};
}

Result<uint32_t> DirBlocks::names_in_block() const {
  DAXLAB_ASSIGN(const Form form, this->form());
  if (form != Form::kBlock) return Errc::kNoData;
  DAXLAB_ASSIGN(const BlockForm block, open_block(Access::kRead));
  if (block.pairs.live() < 2) return Errc::kCorrupt;
  return block.pairs.live() - 2;
}

Result<void> DirBlocks::remove_block() {
  DAXLAB_TRY(space_.remove(0));
  size_bytes_ = 0;
  return {};
}

/// A data block; with it, where the block form is full a leaf, where the leaf form is full the first free block and what the split of the
/// leaf takes; in the node form a free block, a block a level and a new root.
Result<uint32_t> DirBlocks::insert_blocks(size_t name_bytes) const {
  DAXLAB_ASSIGN(const Form form, this->form());
  if (form == Form::kBlock) {
    DAXLAB_ASSIGN(const BlockForm block, open_block(Access::kRead));
    DAXLAB_ASSIGN(const bool fits, block_has_room(block, dir_entry_bytes(name_bytes)));
    return fits ? 0 : 2;
  }
  if (form == Form::kLeaf) {
    DAXLAB_ASSIGN(const LeafForm leaf, open_leaf(Access::kRead));
    return LeafForm::used_bytes(leaf.pairs.live() + 1, leaf.blocks + 1) <= block_bytes_ ? 1 : 4;
  }
  DAXLAB_ASSIGN(MetadataRef root, need(index_at_, Access::kRead));
  DAXLAB_ASSIGN(const DirIndexBlock index, DirIndexBlock::open(std::move(root)));
  return 2 + (index.level + 1) + 1;
}

}  // namespace daxlab::xfslike
