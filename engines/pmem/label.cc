#include "engines/pmem/label.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>

#include "engines/base/crc32c.h"
#include "engines/base/units.h"
#include "engines/pmem/label_format.h"
#include "engines/pmem/persist.h"

namespace daxlab::pmem {

namespace {

uint32_t crc_of(LabelDisk disk) {
  disk.crc = 0;
  return crc32c(&disk, sizeof disk);
}

template <size_t N>
void put(std::array<char, N>& field, const std::string& text) {
  DAXLAB_CHECK(text.size() < N);
  std::copy(text.begin(), text.end(), field.begin());
}

template <size_t N>
std::string get(const std::array<char, N>& field) {
  return {field.begin(), std::find(field.begin(), field.end(), '\0')};
}

std::array<uint8_t, 16> random_uuid() {
  std::random_device device;
  std::array<uint8_t, 16> uuid{};
  for (uint8_t& byte : uuid) byte = static_cast<uint8_t>(device());
  uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x40);  // RFC 4122, version 4
  uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);
  return uuid;
}

constexpr bool dash_before(size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

std::string uuid_text(const std::array<uint8_t, 16>& uuid) {
  std::string text;
  for (size_t i = 0; i < uuid.size(); ++i) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned>(uuid[i]));
    if (dash_before(i)) text += '-';
    text += hex;
  }
  return text;
}

std::array<uint8_t, 16> uuid_bytes(const std::string& text) {
  DAXLAB_CHECK(text.size() == 36);
  std::array<uint8_t, 16> uuid{};
  size_t at = 0;
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (dash_before(i)) ++at;
    uuid[i] = static_cast<uint8_t>(std::strtoul(text.substr(at, 2).c_str(), nullptr, 16));
    at += 2;
  }
  return uuid;
}

Result<Label> decode(const LabelDisk& disk, const std::string& place) {
  if (disk.magic != kLabelMagic) return Error(Errc::kWrongLabel, place + ": no daxlab label; format it first (daxlab mkfs)");
  if (disk.label_version != kLabelVersion) {
    return Error(Errc::kWrongLabel, place + ": the label is of version " + std::to_string(disk.label_version) +
                                        ", this daxlab reads " + std::to_string(kLabelVersion));
  }
  if (disk.crc != crc_of(disk)) return Error(Errc::kCorrupt, place + ": the label's checksum is wrong");
  if (disk.run_kind > static_cast<uint8_t>(RunSpec::Kind::kHole))
    return Error(Errc::kCorrupt, place + ": the label's run is unknown");
  Label label;
  label.engine = get(disk.engine);
  label.format_version = disk.format_version;
  label.options = get(disk.options);
  label.run = {static_cast<RunSpec::Kind>(disk.run_kind), disk.run_bytes};
  label.seed = disk.seed;
  label.size_bytes = disk.size_bytes;
  label.uuid = uuid_text(disk.uuid);
  return label;
}

uint64_t* magic_of(Region& region) { return reinterpret_cast<uint64_t*>(region.label_bytes().data()); }

std::string place_of(const MediaSpec& spec) { return spec.path.empty() ? name(spec.kind) : spec.path; }

}  // namespace

void erase_label(Region& region) {
  store_commit(magic_of(region), 0);
  persist(magic_of(region), sizeof(uint64_t));
}

// Order: no magic (durable), the label's body (durable), the magic (durable). Before the last step a crash leaves no label,
// after it the whole label.
void write_label(Region& region, const Label& label) {
  LabelDisk disk{};
  disk.magic = kLabelMagic;
  disk.label_version = kLabelVersion;
  disk.size_bytes = region.size_bytes();
  disk.seed = region.spec().seed;
  disk.run_bytes = region.spec().run.run_bytes;
  disk.run_kind = static_cast<uint8_t>(region.spec().run.kind);
  disk.format_version = label.format_version;
  disk.uuid = label.uuid.empty() ? random_uuid() : uuid_bytes(label.uuid);
  put(disk.engine, label.engine);
  put(disk.options, label.options);
  disk.crc = crc_of(disk);

  erase_label(region);
  std::byte* const base = region.label_bytes().data();
  constexpr size_t kBodyAt = sizeof disk.magic;
  store_bytes(base + kBodyAt, reinterpret_cast<const std::byte*>(&disk) + kBodyAt, sizeof disk - kBodyAt);
  persist(base + kBodyAt, sizeof disk - kBodyAt);
  store_commit(magic_of(region), kLabelMagic);
  persist(magic_of(region), sizeof(uint64_t));
}

Result<Label> read_label(const Region& region) {
  const auto disk = load(reinterpret_cast<const LabelDisk*>(region.label_bytes().data()));
  return decode(disk, place_of(region.spec()));
}

Result<Label> peek_label(const MediaSpec& spec) {
  if (spec.kind == MediaKind::kDram) return Error(Errc::kWrongLabel, "dram: a fresh medium has no label");
  const int fd = ::open(spec.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error(Errc::kIo, spec.path + ": " + std::strerror(errno));
  LabelDisk disk{};
  int failed = 0;
  if (spec.kind == MediaKind::kFile) {
    if (::pread(fd, &disk, sizeof disk, 0) < 0) failed = errno;  // a short file has no magic
  } else {
    // A devdax cannot be read, only mapped, by whole units of its alignment.
    void* const mapped = ::mmap(nullptr, kHugeBytes, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
      failed = errno;
    } else {
      std::memcpy(&disk, mapped, sizeof disk);
      ::munmap(mapped, kHugeBytes);
    }
  }
  ::close(fd);
  if (failed != 0) return Error(Errc::kIo, spec.path + ": " + std::strerror(failed));
  return decode(disk, spec.path);
}

Result<void> expect_label(const Region& region, const std::string& engine, uint32_t format_version) {
  DAXLAB_ASSIGN(const Label label, read_label(region));
  if (label.engine == engine && label.format_version == format_version) return {};
  return Error(Errc::kWrongLabel, place_of(region.spec()) + ": formatted by " + label.engine + " version " +
                                      std::to_string(label.format_version) + ", not by " + engine + " version " +
                                      std::to_string(format_version));
}

}  // namespace daxlab::pmem
