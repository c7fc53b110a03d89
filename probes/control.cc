#include "probes/control.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>

#include "engines/base/clock.h"
#include "probes/libbpf_options.h"
#include "probes/reason.h"

namespace daxlab::probes {
namespace {

constexpr size_t kMappedBytes = 4096;
static_assert(sizeof(probe_control) <= kMappedBytes);

/// Programs on other CPUs read these words while they change.
void publish(__u32& word, uint32_t value) { __atomic_store_n(&word, value, __ATOMIC_SEQ_CST); }

}  // namespace

Control::~Control() {
  if (page_) munmap(page_, kMappedBytes);
}

std::string Control::map(SharedMaps& shared) {
  auto options = libbpf_options<bpf_map_create_opts>();
  options.map_flags = BPF_F_MMAPABLE;
  shared.control = UniqueFd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "control", sizeof(uint32_t), sizeof(probe_control), 1, &options));
  if (!shared.control.valid()) return reason(Step::kMap, errno);
  void* page = mmap(nullptr, kMappedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, shared.control.get(), 0);
  if (page == MAP_FAILED) return reason(Step::kMap, errno);
  page_ = static_cast<probe_control*>(page);
  stop();
  return {};
}

void Control::stop() { publish(page_->tgid, PROBE_NOBODY); }

Result<void> Control::prepare(const std::vector<AddressRange>& ranges) {
  if (ranges.size() > PROBE_RANGES) {
    return Error(Errc::kUsage, fmt::format("{} address ranges; a session takes {} at most", ranges.size(), PROBE_RANGES));
  }
  stop();
  publish(page_->phase, static_cast<uint32_t>(SessionPhase::kOutside));
  page_->marks = 0;
  page_->ranges_lost = 0;
  for (size_t i = 0; i < PROBE_RANGES; ++i) {
    page_->ranges[i] = i < ranges.size() ? probe_range{ranges[i].begin, ranges[i].end} : probe_range{};
  }
  page_->range_count = static_cast<uint32_t>(ranges.size());
  return {};
}

void Control::start(uint32_t tgid) {
  page_->since_ns = monotonic_ns();
  publish(page_->tgid, tgid);
}

void Control::set_phase(SessionPhase phase) { publish(page_->phase, static_cast<uint32_t>(phase)); }

uint32_t Control::marks() const { return __atomic_load_n(&page_->marks, __ATOMIC_SEQ_CST); }

uint32_t Control::ranges_lost() const { return __atomic_load_n(&page_->ranges_lost, __ATOMIC_SEQ_CST); }

}  // namespace daxlab::probes
