#include "engines/xfslike/recovery_checkpoints.h"

#include <algorithm>
#include <cstring>

#include "engines/base/units.h"

namespace daxlab::xfslike {

namespace {

Error malformed(const char* what) { return Error(Errc::kCorrupt, std::string("log: ") + what); }

}  // namespace

Result<void> CheckpointAssembler::record(std::span<const std::byte> payload, uint32_t ops, Lsn lsn) {
  for (uint32_t i = 0; i < ops; ++i) {
    OpHeaderDisk header;
    if (payload.size() < sizeof header) return malformed("fewer operations than the record says");
    std::memcpy(&header, payload.data(), sizeof header);
    payload = payload.subspan(sizeof header);
    if (header.client != kOpClient || header.size_bytes > payload.size() || header.size_bytes % 4 != 0)
      return malformed("an operation that cannot be");
    DAXLAB_TRY(op(header, payload.first(header.size_bytes), lsn));
    payload = payload.subspan(header.size_bytes);
  }
  return {};
}

Result<void> CheckpointAssembler::op(const OpHeaderDisk& header, std::span<const std::byte> data, Lsn lsn) {
  highest_ = std::max(highest_, header.checkpoint);
  if ((header.flags & kOpUnmount) != 0) return {};
  if ((header.flags & kOpStart) != 0) {
    open_[header.checkpoint] = Open{.start = lsn, .bytes = {}, .regions = {}};
    return {};
  }
  const auto found = open_.find(header.checkpoint);
  if (found == open_.end()) return {};
  Open& open = found->second;
  if ((header.flags & kOpCommit) != 0) {
    DAXLAB_TRY(commit(header.checkpoint, open));
    open_.erase(found);
    return {};
  }
  if ((header.flags & kOpWasContinued) != 0) {
    if (open.regions.empty()) return malformed("the rest of a region that did not begin");
    open.regions.back().size_bytes += header.size_bytes;
  } else {
    open.bytes.resize(align_up(open.bytes.size(), 8));
    open.regions.push_back({open.bytes.size(), header.size_bytes});
  }
  open.bytes.insert(open.bytes.end(), data.begin(), data.end());
  return {};
}

Result<void> CheckpointAssembler::commit(uint32_t checkpoint, const Open& open) const {
  TransactionHeaderDisk transaction;
  if (open.regions.empty() || open.regions[0].size_bytes != sizeof transaction)
    return malformed("a checkpoint without its header");
  std::memcpy(&transaction, open.bytes.data(), sizeof transaction);
  if (transaction.magic != kTransactionMagic || transaction.checkpoint != checkpoint)
    return malformed("another checkpoint's header");
  std::vector<std::span<const std::byte>> regions;
  for (const auto& region : open.regions) regions.emplace_back(open.bytes.data() + region.at, region.size_bytes);
  std::vector<RecoveredItem> items;
  for (size_t i = 1; i < regions.size();) {
    ItemHeaderDisk item;
    if (regions[i].size() < sizeof item) return malformed("an item without its header");
    std::memcpy(&item, regions[i].data(), sizeof item);
    const auto type = static_cast<ItemType>(item.type);
    if (type < ItemType::kInode || type > ItemType::kExtentFreeDone || item.regions == 0 || item.regions > regions.size() - i)
      return malformed("an item that cannot be");
    items.push_back({type, std::span(regions).subspan(i, item.regions)});
    i += item.regions;
  }
  if (items.size() < transaction.items) return malformed("a checkpoint with fewer items than it says");
  std::stable_partition(items.begin(), items.end(), [](const RecoveredItem& item) { return item.type == ItemType::kBuffer; });
  return take_(items, open.start);
}

}  // namespace daxlab::xfslike
