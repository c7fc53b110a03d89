#include "engines/xfslike/replay.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <fmt/format.h>

#include "engines/base/check.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/dquot_disk.h"
#include "engines/xfslike/inode_disk.h"
#include "engines/xfslike/inode_item.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {

Error bad_record(const char* what) { return {Errc::kCorrupt, fmt::format("the log's record of {} makes no sense", what)}; }

/// The start of a region as a T; false where it is too short.
template <typename T>
bool take(std::span<const std::byte>& from, T& to) {
  if (from.size() < sizeof to) return false;
  std::memcpy(&to, from.data(), sizeof to);
  from = from.subspan(sizeof to);
  return true;
}

/// The header and the runs that buffers and intents begin with.
template <typename Header>
bool take_runs(std::span<const std::byte>& from, Header& header, BlockRuns& runs) {
  if (!take(from, header) || uint64_t{header.run_count} * sizeof(BlockRunDisk) > from.size()) return false;
  for (uint32_t i = 0; i < header.run_count; ++i) {
    BlockRunDisk run;
    if (!take(from, run) || run.count == 0 || run.count > UINT32_MAX) return false;
    runs.push_back({run.first, static_cast<uint32_t>(run.count)});
  }
  return true;
}

/// Whether the runs lie on the medium.
bool inside(const Volume& volume, std::span<const BlockRun> runs) {
  return !runs.empty() && std::all_of(runs.begin(), runs.end(), [&](const BlockRun& run) {
    return run.first < volume.superblock.block_count && run.count <= volume.superblock.block_count - run.first;
  });
}

// Payload, flushed; fence; magic and crc, then the LSN, flushed; fence. As write-back does, so that a crash inside recovery is one inside
// write-back.
template <typename Disk>
void store_stamped(std::byte* to, const Disk& disk) {
  constexpr size_t kStampBytes = 16;
  const auto* const from = reinterpret_cast<const std::byte*>(&disk);
  pmem::store_bytes(to + kStampBytes, from + kStampBytes, sizeof disk - kStampBytes);
  pmem::flush(to + kStampBytes, sizeof disk - kStampBytes);
  pmem::fence();
  uint64_t words[2];
  std::memcpy(words, &disk, sizeof words);
  pmem::store_commit(reinterpret_cast<uint64_t*>(to), words[0]);
  pmem::store_commit(reinterpret_cast<uint64_t*>(to) + 1, words[1]);
  pmem::flush(to, kStampBytes);
  pmem::fence();
}

}  // namespace

struct BufferRecord {
  BufferLogDisk header;
  BlockRuns runs;
  std::span<const std::byte> map;
};

Replay::~Replay() {
  for (ExtentFreeIntentItem* const intent : intents_) delete intent;  // were not finished: the mount failed
}

Result<void> Replay::note(const RecoveredItem& item) {
  std::span<const std::byte> first = item.regions.front();
  if (item.type == ItemType::kBuffer) {
    BufferLogDisk header;
    BlockRuns runs;
    if (!take_runs(first, header, runs) || !inside(volume_, runs)) return bad_record("a buffer");
    if ((header.flags & kBufferCancel) != 0) ++cancels_[runs.front().first];
  } else if (item.type == ItemType::kExtentFreeIntent || item.type == ItemType::kExtentFreeDone) {
    ExtentFreeLogDisk header;
    if (!take(first, header)) return bad_record("an intent");
    if (header.id >= volume_.next_intent.load()) volume_.next_intent.store(header.id + 1);
  }
  return {};
}

Result<void> Replay::replay(const RecoveredItem& item, Lsn start) {
  switch (item.type) {
    case ItemType::kInode:
      return replay_inode(item, start);
    case ItemType::kBuffer:
      return replay_buffer(item, start);
    case ItemType::kDquot:
      return replay_dquot(item, start);
    case ItemType::kExtentFreeIntent:
    case ItemType::kExtentFreeDone:
      return {};
  }
  return bad_record("an unknown kind");
}

bool Replay::wanted(uint64_t place, Lsn stamped, bool crc_right, Lsn start) {
  if (stamped > start) {
    if (!crc_right) suspects_.insert(place);
    ++counts_.newer;
    return false;
  }
  const bool first_suspicion = stamped == start && !crc_right && suspects_.insert(place).second;
  if (!first_suspicion) suspects_.erase(place);
  ++counts_.applied;
  return true;
}

Result<void> Replay::replay_buffer(const RecoveredItem& item, Lsn start) {
  BufferRecord record;
  record.map = item.regions.front();
  if (!take_runs(record.map, record.header, record.runs) || !inside(volume_, record.runs)) return bad_record("a buffer");
  const auto cancel = cancels_.find(record.runs.front().first);
  if ((record.header.flags & kBufferCancel) != 0) {
    if (cancel != cancels_.end() && --cancel->second == 0) cancels_.erase(cancel);
    return {};
  }
  if (cancel != cancels_.end()) {
    ++counts_.cancelled;
    return {};
  }
  uint64_t blocks = 0;
  for (const BlockRun& run : record.runs) blocks += run.count;
  if (blocks * kBlockBytes != record.header.size_bytes) return bad_record("a buffer");
  return apply_buffer(record, item, start);
}

Result<void> Replay::apply_buffer(const BufferRecord& record, const RecoveredItem& item, Lsn start) {
  const bool fresh = (record.header.flags & kBufferFresh) != 0;
  const uint64_t block = record.runs.front().first;
  const auto pieces = pieces_of(volume_.region, record.runs);
  const auto there = pmem::load(reinterpret_cast<const MetaHeaderDisk*>(pieces.front().address));
  const bool named = there.magic == record.header.magic && there.owner == record.header.owner && there.block == block &&
                     there.uuid == volume_.superblock.uuid && there.size_bytes == record.header.size_bytes;
  if (!named && !fresh) return Error(Errc::kCorrupt, fmt::format("metadata at block {} is something else", block));
  const bool right = !named || there.lsn < start || make_buffer_copy(pieces, false)->crc(there.lsn) == there.crc;
  if (!wanted(block * kBlockBytes, named ? there.lsn : kNoLsn, right, start)) return {};
  const auto bytes = make_buffer_copy(pieces, fresh);
  ChunkMap changed(record.header.size_bytes);
  if (record.map.size() < changed.word_count() * sizeof(uint64_t)) return bad_record("a buffer");
  changed.assign(record.map.data());
  size_t region = 1;
  bool sound = true;
  changed.each_run([&](uint32_t first, uint32_t count) {
    sound = sound && region < item.regions.size() && item.regions[region].size() >= count * kChunkBytes;
    if (sound) bytes->write(first * kChunkBytes, item.regions[region++].data(), count * kChunkBytes);
  });
  if (!sound) return bad_record("a buffer");
  bytes->store_chunks(changed);
  pmem::fence();
  bytes->store_stamp(record.header.magic, bytes->crc(start), start);
  pmem::fence();
  return {};
}

Result<void> Replay::replay_inode(const RecoveredItem& item, Lsn start) {
  std::span<const std::byte> first = item.regions.front();
  InodeLogDisk record;
  InodeDisk next{};
  if (!take(first, record) || item.regions.size() < 2) return bad_record("an inode");
  std::span<const std::byte> core = item.regions[1];
  if (!take(core, next.core) || next.core.ino != record.ino || next.core.magic != static_cast<uint32_t>(Magic::kInode) ||
      inode_block(record.ino) >= volume_.superblock.block_count || record.fork_bytes > kForkBytes) {
    return bad_record("an inode");
  }
  std::byte* const place = volume_.address(inode_block(record.ino)) + inode_offset(record.ino);
  const auto there = pmem::load(reinterpret_cast<const InodeDisk*>(place));
  if (there.core.magic != next.core.magic || there.core.ino != record.ino || there.core.uuid != volume_.superblock.uuid) {
    return Error(Errc::kCorrupt, fmt::format("inode {} is something else", record.ino));
  }
  if (!wanted(record.ino * kInodeBytes, there.core.lsn, there.core.crc == inode_crc(there), start)) return {};
  if ((record.fields & kInodeFork) == 0) {
    next.fork = there.fork;
  } else if (record.fork_bytes != 0) {
    if (item.regions.size() < 3 || item.regions[2].size() < record.fork_bytes) return bad_record("an inode");
    std::memcpy(next.fork.data(), item.regions[2].data(), record.fork_bytes);
  }
  next.core.lsn = start;
  next.core.crc = inode_crc(next);
  store_stamped(place, next);
  return {};
}

Result<void> Replay::replay_dquot(const RecoveredItem& item, Lsn start) {
  std::span<const std::byte> first = item.regions.front();
  DquotLogDisk record;
  DquotDisk next;
  if (!take(first, record) || item.regions.size() < 2) return bad_record("a dquot");
  std::span<const std::byte> core = item.regions[1];
  if (!take(core, next) || record.block >= volume_.superblock.block_count || record.offset != dquot_offset(next.id)) {
    return bad_record("a dquot");
  }
  std::byte* const place = volume_.address(record.block) + record.offset;
  const auto there = pmem::load(reinterpret_cast<const DquotDisk*>(place));
  if (there.magic != next.magic || there.id != next.id || there.uuid != volume_.superblock.uuid) {
    return Error(Errc::kCorrupt, fmt::format("dquot {} is something else", next.id));
  }
  if (!wanted(record.block * kBlockBytes + record.offset, there.lsn, there.crc == dquot_crc(there), start)) return {};
  next.lsn = start;
  next.crc = dquot_crc(next);
  store_dquot(place, next);
  return {};
}

Result<void> Replay::replayed() {
  if (suspects_.empty()) return {};
  return Error(Errc::kCorrupt, fmt::format("metadata at byte {} of the blocks has a wrong checksum", *suspects_.begin()));
}

Result<LogItem*> Replay::intent(const RecoveredItem& item, Lsn) {
  std::span<const std::byte> first = item.regions.front();
  ExtentFreeLogDisk header;
  BlockRuns runs;
  if (!take_runs(first, header, runs) || !inside(volume_, runs)) return bad_record("an intent");
  intents_.push_back(ExtentFreeIntentItem::recovered(volume_, header.id, std::move(runs)).release());
  return intents_.back();
}

Result<void> Replay::finish_intents() {
  while (!intents_.empty()) {
    ExtentFreeIntentItem* const intent = intents_.back();
    uint64_t blocks = 0;
    for (const BlockRun& run : intent->extents()) blocks += run.count;
    const auto extents = static_cast<uint32_t>(intent->extents().size());
    DAXLAB_ASSIGN(const auto transaction, Transaction::begin(volume_, reservation::finish_intent(volume_, extents, blocks)));
    intents_.pop_back();
    transaction->commit_intent(std::unique_ptr<ExtentFreeIntentItem>(intent));
    ++counts_.intents;
  }
  return {};
}

}  // namespace daxlab::xfslike
