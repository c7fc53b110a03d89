#include "engines/pmem/region.h"

#include <cpuid.h>
#include <fcntl.h>
#include <libpmem2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engines/base/units.h"
#include "engines/pmem/huge_pages.h"
#include "engines/pmem/persist.h"

namespace daxlab::pmem {

namespace {

constexpr uint64_t kMinBytes = 2 * kBlockBytes;

Error system_error(const std::string& what, int posix) {
  return {posix == ENOSPC ? Errc::kNoSpace : Errc::kIo, what + ": " + std::strerror(posix)};
}

std::string place_of(const MediaSpec& spec) { return std::string(name(spec.kind)) + (spec.path.empty() ? "" : ' ' + spec.path); }

/// Real pmem under a hypervisor may be anything: it is a guest's.
bool under_hypervisor() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & (1u << 31)) != 0;
}

MediaClass class_of(MediaKind kind, pmem2_granularity granularity) {
  // Someone who forces libpmem2's judgement has emulated media.
  const bool forced = std::getenv("PMEM2_FORCE_GRANULARITY") != nullptr;
  if (kind == MediaKind::kDram || granularity == PMEM2_GRANULARITY_PAGE) return MediaClass::kEmulated;
  if (forced && kind != MediaKind::kDevdax) return MediaClass::kEmulated;
  return under_hypervisor() ? MediaClass::kGuest : MediaClass::kReal;
}

}  // namespace

const char* name(MediaClass media_class) {
  switch (media_class) {
    case MediaClass::kReal:
      return "real";
    case MediaClass::kEmulated:
      return "emulated";
    case MediaClass::kGuest:
      return "guest";
  }
  return "unknown";
}

struct Region::Mapping {
  explicit Mapping(int descriptor) : fd(descriptor) {}
  ~Mapping() {
    if (map != nullptr) pmem2_map_delete(&map);
    if (config != nullptr) pmem2_config_delete(&config);
    if (source != nullptr) pmem2_source_delete(&source);
    if (fd >= 0) ::close(fd);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  /// Maps the first `size_bytes` of fd, shared.
  Result<void> create(const MediaSpec& spec, uint64_t size_bytes) {
    const auto failed = [&](const char* step) {
      return Error(Errc::kIo, place_of(spec) + ": " + step + ": " + pmem2_errormsg());
    };
    if (pmem2_source_from_fd(&source, fd) != 0) return failed("cannot be a source of pmem");
    if (pmem2_config_new(&config) != 0) return failed("no memory for a mapping");
    // The weakest granularity is accepted: our own primitives flush lines on any medium, and class_of() says what it is.
    if (pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) != 0) return failed("granularity");
    if (pmem2_config_set_length(config, size_bytes) != 0) return failed("length");
    if (pmem2_map_new(&map, config, source) != 0) return failed("cannot be mapped");
    return {};
  }

  int fd;
  pmem2_source* source = nullptr;
  pmem2_config* config = nullptr;
  pmem2_map* map = nullptr;
};

namespace {

/// The medium's size: what the spec asks for, or what is there. Grows a file that is too small.
Result<uint64_t> size_of_file(int fd, const MediaSpec& spec) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error(place_of(spec), errno);
  if (!S_ISREG(status.st_mode)) return Error(Errc::kUsage, place_of(spec) + ": not a regular file");
  const auto present = static_cast<uint64_t>(status.st_size);
  if (spec.size_bytes == 0) return align_down(present, kBlockBytes);
  // Space is reserved now: a store into a hole that cannot be filled later would kill the process.
  if (::fallocate(fd, 0, 0, static_cast<off_t>(spec.size_bytes)) == 0) return spec.size_bytes;
  if (errno != EOPNOTSUPP) return system_error(place_of(spec) + ": cannot hold " + format_size(spec.size_bytes), errno);
  if (present < spec.size_bytes && ::ftruncate(fd, static_cast<off_t>(spec.size_bytes)) != 0) {
    return system_error(place_of(spec) + ": cannot grow to " + format_size(spec.size_bytes), errno);
  }
  return spec.size_bytes;
}

Result<uint64_t> size_of_devdax(int fd, const MediaSpec& spec) {
  pmem2_source* source = nullptr;
  size_t size_bytes = 0;
  if (pmem2_source_from_fd(&source, fd) != 0) return Error(Errc::kIo, place_of(spec) + ": " + pmem2_errormsg());
  const int failed = pmem2_source_size(source, &size_bytes);
  pmem2_source_delete(&source);
  if (failed != 0) return Error(Errc::kIo, place_of(spec) + ": " + pmem2_errormsg());
  return uint64_t{size_bytes};
}

Result<int> make_memfd(uint64_t size_bytes) {
  const int fd = ::memfd_create("daxlab", MFD_CLOEXEC);
  if (fd < 0) return system_error("dram: memfd_create", errno);
  if (::ftruncate(fd, static_cast<off_t>(size_bytes)) != 0) {
    const Error error = system_error("dram: cannot hold " + format_size(size_bytes), errno);
    ::close(fd);
    return error;
  }
  return fd;
}

}  // namespace

Result<std::unique_ptr<Region>> Region::make(const MediaSpec& spec, std::unique_ptr<Mapping> mapping) {
  if (spec.size_bytes < kMinBytes) {
    return Error(Errc::kUsage,
                 place_of(spec) + ": " + format_size(spec.size_bytes) + " is too small: at least " + format_size(kMinBytes));
  }
  init_door();
  DAXLAB_TRY(mapping->create(spec, spec.size_bytes));
  const uint64_t label_bytes = label_area_bytes(spec.size_bytes);
  DAXLAB_ASSIGN(Geometry geometry, Geometry::create(spec.run, spec.seed, spec.size_bytes - label_bytes));
  std::unique_ptr<Region> region(new Region);
  region->spec_ = spec;
  region->media_class_ = class_of(spec.kind, pmem2_map_get_store_granularity(mapping->map));
  region->geometry_ = std::move(geometry);
  region->base_ = static_cast<std::byte*>(pmem2_map_get_address(mapping->map));
  region->blocks_ = region->base_ + label_bytes;
  region->size_bytes_ = spec.size_bytes;
  region->fd_ = spec.kind == MediaKind::kDevdax ? -1 : mapping->fd;
  region->linear_ = region->geometry_.linear();
  region->mapping_ = std::move(mapping);
  return region;
}

Region::~Region() = default;

Result<std::unique_ptr<Region>> Region::open(const MediaSpec& spec) {
  MediaSpec sized = spec;
  if (spec.kind == MediaKind::kDram) {
    sized.size_bytes = align_down(spec.size_bytes, kBlockBytes);
    DAXLAB_ASSIGN(const int fd, make_memfd(sized.size_bytes));
    DAXLAB_ASSIGN(auto region, make(sized, std::make_unique<Mapping>(fd)));
    DAXLAB_TRY(populate(region->bytes()));
    region->huge_pages_ = mapped_huge(region->bytes());
    return region;
  }
  const bool may_create = spec.kind == MediaKind::kFile && spec.size_bytes != 0;
  const int fd = ::open(spec.path.c_str(), O_RDWR | O_CLOEXEC | (may_create ? O_CREAT : 0), 0644);
  if (fd < 0) return system_error(place_of(spec), errno);
  auto mapping = std::make_unique<Mapping>(fd);
  DAXLAB_ASSIGN(const uint64_t size_bytes, spec.kind == MediaKind::kFile ? size_of_file(fd, spec) : size_of_devdax(fd, spec));
  sized.size_bytes = align_down(size_bytes, kBlockBytes);
  return make(sized, std::move(mapping));
}

Result<std::unique_ptr<Region>> Region::adopt(int fd, const MediaSpec& spec) {
  const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return system_error("descriptor " + std::to_string(fd), errno);
  auto mapping = std::make_unique<Mapping>(own);
  struct stat status {};
  if (::fstat(own, &status) != 0) return system_error("descriptor " + std::to_string(fd), errno);
  MediaSpec sized = spec;
  if (spec.kind != MediaKind::kDevdax) {
    const auto present = static_cast<uint64_t>(status.st_size);
    if (sized.size_bytes == 0) sized.size_bytes = present;
    if (present < sized.size_bytes) {
      return Error(Errc::kUsage,
                   "descriptor " + std::to_string(fd) + " holds " + format_size(present) + ", not " + spec.to_string());
    }
  }
  sized.size_bytes = align_down(sized.size_bytes, kBlockBytes);
  DAXLAB_ASSIGN(auto region, make(sized, std::move(mapping)));
  if (spec.kind == MediaKind::kDram) {
    DAXLAB_TRY(map_populated(region->bytes()));
    region->huge_pages_ = mapped_huge(region->bytes());
  }
  return region;
}

Result<std::unique_ptr<Region>> Region::for_test(uint64_t size_bytes, const RunSpec& run, uint64_t seed) {
  MediaSpec spec;
  spec.size_bytes = align_down(size_bytes, kBlockBytes);
  spec.run = run;
  spec.seed = seed;
  DAXLAB_ASSIGN(const int fd, make_memfd(spec.size_bytes));
  return make(spec, std::make_unique<Mapping>(fd));
}

}  // namespace daxlab::pmem
