#include <cstring>

#include "engines/native/directory.h"

namespace daxlab::native {

DentryRecord DentryRecord::add(std::string_view name, uint64_t cookie, InodeId id, NodeKind kind, uint64_t removes, uint64_t time_ns) {
  DentryRecord record;
  DentryRecordDisk disk{};
  disk.header.type = static_cast<uint8_t>(RecordType::kDentry);
  disk.header.aux = static_cast<uint8_t>(name.size());
  disk.ino = Inode::ino_of(id);
  disk.generation = Inode::generation_of(id);
  disk.time_ns = time_ns;
  disk.cookie = cookie | uint64_t{static_cast<uint8_t>(kind)} << 56;
  disk.removes = removes;
  record.put(disk);
  std::memcpy(record.lines_[0].bytes.data() + sizeof disk, name.data(), name.size());
  record.count_ = record_lines(sizeof disk + name.size());
  return record;
}

DentryRecord DentryRecord::remove(uint64_t cookie, uint64_t time_ns) {
  DentryRecord record;
  DentryRecordDisk disk{};
  disk.header.type = static_cast<uint8_t>(RecordType::kDentry);
  disk.time_ns = time_ns;
  disk.removes = cookie;
  record.put(disk);
  return record;
}

DentryRecord& DentryRecord::flag(uint8_t flags) {
  reinterpret_cast<RecordHeaderDisk*>(lines_[0].bytes.data())->flags |= flags;
  return *this;
}

/// The number stands before the name.
DentryRecord& DentryRecord::in_transaction(uint64_t number) {
  std::byte* const bytes = lines_[0].bytes.data();
  auto* const header = reinterpret_cast<RecordHeaderDisk*>(bytes);
  header->flags |= kTransaction;
  std::memmove(bytes + sizeof(DentryRecordDisk) + sizeof(TransactionDisk), bytes + sizeof(DentryRecordDisk), header->aux);
  const TransactionDisk transaction{number};
  std::memcpy(bytes + sizeof(DentryRecordDisk), &transaction, sizeof transaction);
  count_ = record_lines(sizeof(DentryRecordDisk) + sizeof transaction + header->aux);
  return *this;
}

}  // namespace daxlab::native
