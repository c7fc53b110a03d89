#include "engines/xfslike/recovery_anchor.h"

#include <cstddef>
#include <cstring>

#include "engines/base/check.h"
#include "engines/base/crc32c.h"

namespace daxlab::xfslike {

namespace {

constexpr uint32_t kAnchorMagic = 0x33614c78;  // "xLa3"
constexpr uint32_t kSlotBlocks = 4;            // apart, so that a damaged stretch does not take both

uint32_t slot_block(const LogPlacement& placement, uint64_t count) {
  return placement.blocks() - static_cast<uint32_t>(count % 2 + 1) * kSlotBlocks;
}

}  // namespace

void AnchorWriter::write(Lsn lsn, uint32_t epoch) {
  last_ = {lsn, epoch, last_.count + 1};
  AnchorDisk disk{};
  disk.magic = kAnchorMagic;
  disk.epoch = epoch;
  disk.uuid = geometry_.uuid;
  disk.count = last_.count;
  disk.lsn = lsn;
  disk.crc = crc32c(&disk, offsetof(AnchorDisk, crc));
  alignas(64) std::byte block[kBasicBlockBytes] = {};
  std::memcpy(block, &disk, sizeof disk);
  placement_.write(slot_block(placement_, last_.count), 1, block);
  placement_.sync();
}

void AnchorWriter::before_record(Lsn lsn, uint64_t record_bytes, Lsn tail) {
  // In the ring the anchor lies ahead of the head: a turn of the log less what has been written since.
  if (geometry_.distance(last_.lsn, lsn) + record_bytes <= geometry_.ring_bytes()) return;
  DAXLAB_CHECK(tail > last_.lsn);
  write(tail, last_.epoch);
}

Result<Anchor> AnchorWriter::read(const LogPlacement& placement, const LogGeometry& geometry) {
  Anchor newest;
  for (const uint64_t slot : {0u, 1u}) {
    std::byte block[kBasicBlockBytes];
    placement.read(slot_block(placement, slot), 1, block);
    AnchorDisk disk;
    std::memcpy(&disk, block, sizeof disk);
    if (disk.magic != kAnchorMagic || disk.uuid != geometry.uuid || disk.crc != crc32c(&disk, offsetof(AnchorDisk, crc)))
      continue;
    if (disk.count > newest.count) newest = {disk.lsn, disk.epoch, disk.count};
  }
  if (newest.count == 0) return Error(Errc::kCorrupt, "log: no valid anchor");
  return newest;
}

}  // namespace daxlab::xfslike
