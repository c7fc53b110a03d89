// DirBlocks::verify(): what its header promises, read from the blocks alone. And one block alone, for when it comes from the medium.

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engines/xfslike/dir_forms.h"

namespace daxlab::xfslike {

using Finding = std::function<bool(std::string_view)>;

class DirVerifier {
 public:
  DirVerifier(const DirBlocks& blocks, const Finding& report) : blocks_(blocks), report_(report) {}

  Result<uint64_t> run();

 private:
  using Access = BlockSpace::Access;
  struct Entry {
    uint32_t hash;
    uint32_t address;
    auto operator<=>(const Entry&) const = default;
  };
  struct Bounds {
    uint32_t low = 0;
    uint32_t high = UINT32_MAX;
  };

  template <typename... Args>
  void find(fmt::format_string<Args...> text, Args&&... args) {
    ++findings_;
    if (!stopped_) stopped_ = !report_(fmt::format(text, std::forward<Args>(args)...));
  }
  /// What a step could not read is a finding, too.
  void step(const char* what, const Result<void>& done) {
    if (!done.ok()) find("{}: {}", what, done.error().message());
  }
  Result<void> data();
  Result<void> data_block(uint64_t address);
  void dots(const DirData::Entry& entry, uint32_t address);
  void pairs(const DirPairs& pairs, const Bounds& bounds, bool leaf);
  Result<void> block_index();
  Result<void> leaf_index();
  Result<void> node_index(uint64_t address, uint32_t level, const Bounds& bounds);
  Result<void> free_index();
  Result<void> strangers(uint64_t begin, uint64_t end, uint64_t expected, const char* what);
  Result<void> twice();
  void compare();

  const DirBlocks& blocks_;
  const Finding& report_;
  bool stopped_ = false;
  uint64_t findings_ = 0;
  std::vector<Entry> names_;           // as the data blocks have them
  std::vector<Entry> index_;           // as the index has them
  std::vector<uint16_t> longest_;      // of each data block
  uint64_t index_blocks_ = 0;
  uint64_t free_blocks_ = 0;
  std::vector<uint64_t> seen_;         // index blocks
};

Result<void> DirVerifier::data_block(uint64_t address) {
  DAXLAB_ASSIGN(const MetadataRef bytes, blocks_.need(address, Access::kRead));
  DAXLAB_ASSIGN(const DirData data, DirData::open(*bytes));
  DAXLAB_TRY(data.verify());
  longest_[address] = static_cast<uint16_t>(data.longest());
  if (address != 0 && (data.empty() || data.is_block_form())) find("data block {} is empty or holds an index", address);
  for (uint32_t offset = kDirDataAt; offset < data.end();) {
    DAXLAB_ASSIGN(const DirData::Piece piece, data.piece(offset));
    offset += piece.length;
    if (piece.unused) continue;
    DirData::Scratch scratch;
    DAXLAB_ASSIGN(const DirData::Entry entry, data.entry(piece, scratch));
    const uint32_t at = blocks_.address_of(address, piece.offset);
    names_.push_back({dir_hash(entry.name), at});
    dots(entry, at);
  }
  return {};
}

void DirVerifier::dots(const DirData::Entry& entry, uint32_t address) {
  constexpr uint32_t kDot = kDirDataAt / kDirUnit;
  const bool dot = entry.name == ".";
  const bool dots = entry.name == "..";
  if (dot != (address == kDot) || dots != (address == kDot + 2)) find("an entry at {} where . and .. belong, or they elsewhere", address);
  if ((dot || dots) && entry.kind != NodeKind::kDirectory) find(". or .. is no directory");
  if (entry.name.find('/') != std::string_view::npos || entry.name.find('\0') != std::string_view::npos) {
    find("the name at {} holds a slash or NUL", address);
  }
}

Result<void> DirVerifier::data() {
  longest_.assign(blocks_.data_blocks(), kDirNoData);
  uint64_t last = UINT64_MAX;
  for (uint64_t from = 0; from < blocks_.index_at_;) {
    const auto next = blocks_.space_.next(from);
    if (!next.ok() && next.code() == Errc::kNotFound) break;
    if (!next.ok()) return next.error();
    if (*next >= blocks_.index_at_) break;
    last = *next;
    from = last + 1;
    if (last >= longest_.size()) {
      find("data block {} lies beyond the directory's size", last);
      continue;
    }
    step("a data block", data_block(last));
  }
  if (last + 1 != longest_.size()) find("the size is {} blocks, the last data block is {}", longest_.size(), last);
  return {};
}

void DirVerifier::pairs(const DirPairs& pairs, const Bounds& bounds, bool leaf) {
  uint32_t stale = 0;
  uint32_t before = bounds.low;
  for (uint32_t i = 0; i < pairs.count(); ++i) {
    const DirLeafEntryDisk entry = pairs.at(i);
    const bool bounded = leaf || i > 0;
    if (bounded && (entry.hash < before || entry.hash > bounds.high)) find("a hash in the index is out of order");
    if (bounded) before = entry.hash;
    if (!leaf) continue;
    if (entry.address == 0) {
      ++stale;
    } else {
      index_.push_back({entry.hash, entry.address});
    }
  }
  if (leaf && stale != pairs.stale()) find("{} stale index entries, the header says {}", stale, pairs.stale());
}

Result<void> DirVerifier::block_index() {
  DAXLAB_ASSIGN(const DirBlocks::BlockForm block, blocks_.open_block(Access::kRead));
  pairs(block.pairs, {}, true);
  return {};
}

Result<void> DirVerifier::leaf_index() {
  DAXLAB_ASSIGN(const DirBlocks::LeafForm leaf, blocks_.open_leaf(Access::kRead));
  index_blocks_ = 1;
  pairs(leaf.pairs, {}, true);
  for (uint32_t block = 0; block < leaf.blocks; ++block) {
    if (leaf.best(block) != longest_[block]) find("the free index says {} of data block {}, which has {}", leaf.best(block), block, longest_[block]);
  }
  return {};
}

Result<void> DirVerifier::node_index(uint64_t address, uint32_t level, const Bounds& bounds) {
  DAXLAB_ASSIGN(MetadataRef bytes, blocks_.need(address, Access::kRead));
  DAXLAB_ASSIGN(const DirIndexBlock block, DirIndexBlock::open(std::move(bytes)));
  if (block.level != level) return Error(Errc::kCorrupt, "an index block of the wrong level");
  if (std::find(seen_.begin(), seen_.end(), address) != seen_.end()) return Error(Errc::kCorrupt, "an index block is there twice");
  seen_.push_back(address);
  ++index_blocks_;
  pairs(block.pairs, bounds, level == 0);
  if (level == 0) {
    if (block.pairs.live() == 0) find("a leaf without entries");
    return {};
  }
  if (address == blocks_.index_at_ && block.pairs.count() < 2) find("a root with one child");
  for (uint32_t i = 0; i < block.pairs.count(); ++i) {
    DAXLAB_ASSIGN(const uint64_t child, blocks_.child_of(block.pairs, i));
    Bounds below = bounds;
    if (i > 0) below.low = block.pairs.at(i).hash;
    if (i + 1 < block.pairs.count()) below.high = block.pairs.at(i + 1).hash;
    step("an index block", node_index(child, level - 1, below));
  }
  return {};
}

Result<void> DirVerifier::free_index() {
  const uint32_t per_block = blocks_.free_max_;
  for (uint32_t index = 0; index * per_block < longest_.size(); ++index) {
    const uint32_t first = index * per_block;
    const auto end = std::min<size_t>(longest_.size(), first + per_block);
    const auto present = [](uint16_t longest) { return longest != kDirNoData; };
    const auto used = static_cast<uint32_t>(std::count_if(longest_.begin() + first, longest_.begin() + static_cast<int64_t>(end), present));
    auto bytes = blocks_.space_.get(blocks_.free_at_ + index, Access::kRead);
    if (!bytes.ok() && bytes.code() == Errc::kNotFound) {
      if (used != 0) find("free block {} is missing", index);
      continue;
    }
    if (!bytes.ok()) return bytes.error();
    ++free_blocks_;
    const auto header = (*bytes)->load<DirFreeIndexHeaderDisk>(kDirHeaderBytes);
    if (header.magic != kDirFreeIndexMagic || header.first != first || header.count > per_block) return Error(Errc::kCorrupt, "a free block's header");
    if (header.used != used || used == 0) find("free block {} says that {} data blocks exist, there are {}", index, header.used, used);
    for (uint32_t slot = 0; first + slot < end || slot < header.count; ++slot) {
      const uint16_t says = slot < header.count ? (*bytes)->load<uint16_t>(kDirHeaderBytes + static_cast<uint32_t>(sizeof header) + slot * 2) : kDirNoData;
      const uint16_t has = first + slot < end ? longest_[first + slot] : kDirNoData;
      if (says != has) find("the free index says {} of data block {}, which has {}", says, first + slot, has);
    }
  }
  return {};
}

/// Blocks at [begin, end) that nothing leads to.
Result<void> DirVerifier::strangers(uint64_t begin, uint64_t end, uint64_t expected, const char* what) {
  uint64_t count = 0;
  for (uint64_t from = begin; from < end; ++count) {
    const auto next = blocks_.space_.next(from);
    if (!next.ok() && next.code() == Errc::kNotFound) break;
    if (!next.ok()) return next.error();
    if (*next >= end) break;
    from = *next + 1;
  }
  if (count != expected) find("{} {} blocks, {} of them in use", count, what, expected);
  return {};
}

void DirVerifier::compare() {
  std::sort(names_.begin(), names_.end());
  std::sort(index_.begin(), index_.end());
  std::vector<Entry> differing;
  std::set_symmetric_difference(names_.begin(), names_.end(), index_.begin(), index_.end(), std::back_inserter(differing));
  for (const Entry& entry : differing) {
    const bool named = std::binary_search(names_.begin(), names_.end(), entry);
    if (named) {
      find("the name at {} is not in the index", entry.address);
    } else {
      find("the index leads to {}, where no name with its hash is", entry.address);
    }
    if (stopped_) return;
  }
}

/// Names of one hash are compared with each other.
Result<void> DirVerifier::twice() {
  const auto name_at = [&](uint32_t address) -> Result<std::string> {
    DAXLAB_ASSIGN(const MetadataRef bytes, blocks_.need(blocks_.block_of(address), Access::kRead));
    DAXLAB_ASSIGN(const DirData data, DirData::open(*bytes));
    DAXLAB_ASSIGN(const DirData::Piece piece, data.piece(blocks_.offset_of(address)));
    DirData::Scratch scratch;
    DAXLAB_ASSIGN(const DirData::Entry entry, data.entry(piece, scratch));
    return std::string(entry.name);
  };
  for (size_t begin = 0; begin < names_.size();) {
    size_t end = begin + 1;
    while (end < names_.size() && names_[end].hash == names_[begin].hash) ++end;
    std::vector<std::string> names;
    for (size_t i = begin; end - begin > 1 && i < end; ++i) {
      DAXLAB_ASSIGN(std::string name, name_at(names_[i].address));
      names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) find("a name is there twice");
    begin = end;
  }
  return {};
}

Result<uint64_t> DirVerifier::run() {
  const auto form = blocks_.form();
  if (!form.ok()) {
    find("the directory has no form: {}", form.error().message());
    return uint64_t{0};
  }
  step("the data blocks", data());
  if (*form == DirBlocks::Form::kBlock) {
    step("the index", block_index());
  } else if (*form == DirBlocks::Form::kLeaf) {
    step("the leaf", leaf_index());
  } else {
    const auto bytes = blocks_.need(blocks_.index_at_, Access::kRead);
    const auto magic = bytes.ok() ? (*bytes)->load<DirNodeHeaderDisk>(kDirHeaderBytes) : DirNodeHeaderDisk{};
    step("the index", node_index(blocks_.index_at_, magic.magic == kDirNodeMagic ? magic.level : 0, {}));
    step("the free index", free_index());
  }
  compare();
  step("the names", twice());
  step("the index", strangers(blocks_.index_at_, blocks_.free_at_, index_blocks_, "index"));
  step("the free index", strangers(blocks_.free_at_, UINT64_MAX, free_blocks_, "free"));
  if (names_.size() < 2) find("a directory without . and ..");
  return uint64_t{names_.size() < 2 ? 0 : names_.size() - 2};
}

Result<uint64_t> DirBlocks::verify(const Finding& report) const { return DirVerifier(*this, report).run(); }

namespace {

Result<void> verify_pairs(const DirPairs& pairs, bool leaf) {
  uint32_t stale = 0;
  uint32_t before = 0;
  for (uint32_t i = 0; i < pairs.count(); ++i) {
    const DirLeafEntryDisk entry = pairs.at(i);
    if ((leaf || i > 0) && entry.hash < before) return Error(Errc::kCorrupt, "hashes out of order");
    if (leaf || i > 0) before = entry.hash;
    if (entry.address == 0) ++stale;
  }
  if (stale != pairs.stale()) return Error(Errc::kCorrupt, "the count of stale entries");
  return {};
}

}  // namespace

Result<void> verify_dir_block(MetadataBytes& block, uint64_t address) {
  const uint32_t size = block.size_bytes();
  const uint64_t index_at = kDirSpaceBytes / size;
  const auto magic = block.load<uint32_t>(kDirHeaderBytes);
  const bool is_data = magic == kDirBlockMagic || magic == kDirDataMagic;
  const bool is_index = magic == kDirLeafMagic || magic == kDirNodeLeafMagic || magic == kDirNodeMagic;
  if (!is_data && !is_index && magic != kDirFreeIndexMagic) return Error(Errc::kCorrupt, "no block of a directory");
  const uint64_t range = is_data ? 0 : is_index ? 1 : 2;
  if (address / index_at != range) return Error(Errc::kCorrupt, "a block of a directory in the wrong place");
  if (is_data) {
    DAXLAB_ASSIGN(const DirData data, DirData::open(block));
    DAXLAB_TRY(data.verify());
    if (magic == kDirDataMagic) return {};
    const auto tail = block.load<DirBlockTailDisk>(size - static_cast<uint32_t>(sizeof(DirBlockTailDisk)));
    return verify_pairs(DirPairs(block, data.end(), tail.count, tail.stale), true);
  }
  const auto header = block.load<DirLeafHeaderDisk>(kDirHeaderBytes);
  const DirPairs pairs(block, kDirPairsAt, header.count, magic == kDirNodeMagic ? 0 : header.stale);
  const uint32_t pairs_max = (size - kDirPairsAt) / kDirPairBytes;
  if (is_index && header.count > pairs_max) return Error(Errc::kCorrupt, "more entries than a block holds");
  if (is_index) return verify_pairs(pairs, magic != kDirNodeMagic);
  const auto free = block.load<DirFreeIndexHeaderDisk>(kDirHeaderBytes);
  const auto table_at = static_cast<uint32_t>(kDirHeaderBytes + sizeof free);
  if (free.count > (size - table_at) / 2) return Error(Errc::kCorrupt, "more data blocks than a free block holds");
  uint32_t used = 0;
  for (uint32_t slot = 0; slot < free.count; ++slot) {
    if (block.load<uint16_t>(table_at + slot * 2) != kDirNoData) ++used;
  }
  if (used != free.used) return Error(Errc::kCorrupt, "the count of data blocks");
  return {};
}

}  // namespace daxlab::xfslike
