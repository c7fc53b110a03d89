#include "probes/readout.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <tuple>

#include "probes/probe.h"

namespace daxlab::probes {
namespace {

size_t cpu_count() { return static_cast<size_t>(std::max(1, libbpf_num_possible_cpus())); }

int fd_of(const bpf_map* map) { return map ? bpf_map__fd(map) : -1; }

/// The enumerators of the object's enum less their two-letter prefix, without the last, which is their number.
std::vector<std::string> kind_names(const bpf_object* object, const bpf_map* map, const char* enum_name) {
  std::vector<std::string> names;
  if (!map) return names;
  const btf* types = bpf_object__btf(object);
  const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(btf__find_by_name_kind(types, enum_name, BTF_KIND_ENUM)));
  DAXLAB_CHECK(type != nullptr && btf_is_enum(type));
  const struct btf_enum* values = ::btf_enum(type);
  for (uint32_t i = 0; i + 1 < btf_vlen(type); ++i) {
    names.emplace_back(btf__name_by_offset(types, values[i].name_off) + 2);
  }
  DAXLAB_CHECK(bpf_map__max_entries(map) == PROBE_PHASES * names.size());
  return names;
}

template <typename Value>
void zero(int fd, uint32_t entries) {
  const std::vector<Value> zeros(cpu_count());
  for (uint32_t key = 0; fd >= 0 && key < entries; ++key) bpf_map_update_elem(fd, &key, zeros.data(), BPF_ANY);
}

/// One entry of a per-CPU array, a value for each CPU; empty when it cannot be read.
template <typename Value>
std::vector<Value> per_cpu(int fd, uint32_t key) {
  std::vector<Value> values(cpu_count());
  if (fd < 0 || bpf_map_lookup_elem(fd, &key, values.data()) != 0) values.clear();
  return values;
}

uint64_t sum(int fd, uint32_t key) {
  uint64_t total = 0;
  for (const uint64_t value : per_cpu<uint64_t>(fd, key)) total += value;
  return total;
}

}  // namespace

Readout::Readout(const LoadedObject& object)
    : hist_kinds_(kind_names(object.object(), object.map("hists"), "hist_kind")),
      count_kinds_(kind_names(object.object(), object.map("counts"), "count_kind")),
      hists_fd_(fd_of(object.map("hists"))),
      counts_fd_(fd_of(object.map("counts"))),
      lost_fd_(fd_of(object.map("lost"))) {}

void Readout::clear() const {
  zero<probe_hist>(hists_fd_, static_cast<uint32_t>(PROBE_PHASES * hist_kinds_.size()));
  zero<uint64_t>(counts_fd_, static_cast<uint32_t>(PROBE_PHASES * count_kinds_.size()));
  zero<uint64_t>(lost_fd_, 1);
}

void Readout::read(SessionPhase phase, ProbeReport& report) const {
  const auto index = static_cast<uint32_t>(phase);
  for (uint32_t kind = 0; kind < hist_kinds_.size(); ++kind) {
    Log2Histogram& histogram = report.histograms[hist_kinds_[kind]];
    static_assert(std::tuple_size_v<decltype(Log2Histogram::slots)> == PROBE_SLOTS);
    for (const auto& value : per_cpu<probe_hist>(hists_fd_, index * static_cast<uint32_t>(hist_kinds_.size()) + kind)) {
      histogram.sum += value.sum;
      histogram.max = std::max<uint64_t>(histogram.max, value.max);
      for (size_t slot = 0; slot < PROBE_SLOTS; ++slot) {
        histogram.slots[slot] += value.slots[slot];
        histogram.count += value.slots[slot];
      }
    }
  }
  for (uint32_t kind = 0; kind < count_kinds_.size(); ++kind) {
    report.counts[count_kinds_[kind]] = sum(counts_fd_, index * static_cast<uint32_t>(count_kinds_.size()) + kind);
  }
  report.lost = sum(lost_fd_, 0);
}

bool Readout::uses_ranges() const {
  const auto by_range = [](const std::string& kind) { return kind.starts_with("pmem_"); };
  return std::any_of(hist_kinds_.begin(), hist_kinds_.end(), by_range) ||
         std::any_of(count_kinds_.begin(), count_kinds_.end(), by_range);
}

}  // namespace daxlab::probes
