#include "probes/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string_view>

#include "probes/libbpf_options.h"
#include "probes/objects.h"
#include "probes/reason.h"
#include "probes/tracefs.h"

namespace daxlab::probes {
namespace {

constexpr std::string_view kUsdtSection = "usdt/daxlab:";

bool belongs_to(std::string_view program, unsigned choice) {
  const size_t suffix = program.rfind("__");
  return suffix == std::string_view::npos || program.find(static_cast<char>('0' + choice), suffix + 2) != std::string_view::npos;
}

bool starts_with(const char* text, std::string_view prefix) { return std::string_view(text).starts_with(prefix); }

Step load_step(const char* section) {
  if (starts_with(section, "fentry/") || starts_with(section, "fexit/")) return Step::kLoadFunction;
  if (starts_with(section, "tp_btf/")) return Step::kLoadTracing;
  return Step::kLoad;
}

bpf_object* open_object(const std::string& name) {
  const auto bytes = object_bytes(name);
  if (bytes.empty()) {
    errno = ENOENT;
    return nullptr;
  }
  auto options = libbpf_options<bpf_object_open_opts>();
  options.object_name = name.c_str();
  return bpf_object__open_mem(bytes.data(), bytes.size(), &options);
}

/// Software events, one per CPU, that run the program inline at every occurrence (cpu-clock: 999 times a second).
int attach_perf(bpf_program* program, std::vector<bpf_link*>& links) {
  struct Event { std::string_view prefix; uint64_t config; bool by_frequency; };
  static constexpr Event kEvents[] = {{"page_faults", PERF_COUNT_SW_PAGE_FAULTS_MIN, false},
                                      {"page_faults", PERF_COUNT_SW_PAGE_FAULTS_MAJ, false},
                                      {"context_switches", PERF_COUNT_SW_CONTEXT_SWITCHES, false},
                                      {"cpu_clock", PERF_COUNT_SW_CPU_CLOCK, true}};
  const int cpus = libbpf_num_possible_cpus();
  for (const Event& event : kEvents) {
    if (!starts_with(bpf_program__name(program), event.prefix)) continue;
    for (int cpu = 0; cpu < cpus; ++cpu) {
      perf_event_attr attributes{};
      attributes.type = PERF_TYPE_SOFTWARE;
      attributes.size = sizeof attributes;
      attributes.config = event.config;
      attributes.freq = event.by_frequency;
      attributes.sample_period = event.by_frequency ? 999 : 1;
      const long fd = syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
      if (fd < 0 && errno == ENODEV) continue;  // possible, but not online
      if (fd < 0) return errno;
      bpf_link* link = bpf_program__attach_perf_event(program, static_cast<int>(fd));
      if (!link) {
        const int error = errno;
        ::close(static_cast<int>(fd));
        return error;
      }
      links.push_back(link);
    }
  }
  return 0;
}

/// 0, or an errno with the step that it is to be explained by.
int attach_program(bpf_program* program, const std::string& binary, std::vector<bpf_link*>& links, Step& step) {
  const char* section = bpf_program__section_name(program);
  bpf_link* link = nullptr;
  if (starts_with(section, "iter")) return 0;  // read, not attached
  if (starts_with(section, kUsdtSection)) {
    step = Step::kAttachUsdt;
    link = bpf_program__attach_usdt(program, -1, binary.c_str(), "daxlab", section + kUsdtSection.size(), nullptr);
  } else if (starts_with(section, "perf_event")) {
    step = Step::kAttachPerf;
    return attach_perf(program, links);
  } else {
    step = Step::kAttachTracepoint;
    link = bpf_program__attach(program);
  }
  if (!link) return errno;
  links.push_back(link);
  return 0;
}

int share(bpf_object* object, const char* name, const UniqueFd& fd) {
  bpf_map* map = bpf_object__find_map_by_name(object, name);
  return map && fd.valid() ? -bpf_map__reuse_fd(map, fd.get()) : 0;
}

}  // namespace

Result<std::unique_ptr<LoadedObject>> LoadedObject::load(const std::string& name, unsigned choice, const std::string& binary,
                                                         SharedMaps& shared, AbsentPoints absent) {
  CaptureLibbpf libbpf;
  std::unique_ptr<LoadedObject> loaded(new LoadedObject);
  loaded->object_ = open_object(name);
  if (!loaded->object_) return Error(Errc::kMissingFacility, reason(Step::kOpen, errno));
  if (const int error = share(loaded->object_, "control", shared.control)) return Error(Errc::kMissingFacility, reason(Step::kMap, error));
  if (const int error = share(loaded->object_, "scopes", shared.scopes)) return Error(Errc::kMissingFacility, reason(Step::kMap, error));

  Step step = Step::kLoad;
  bool needs_tracefs = false;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, loaded->object_) {
    const bool wanted = belongs_to(bpf_program__name(program), choice);
    bpf_program__set_autoload(program, wanted);
    if (!wanted) continue;
    const char* section = bpf_program__section_name(program);
    if (load_step(section) != Step::kLoad && step != Step::kLoadFunction) step = load_step(section);
    if (starts_with(section, "tp/")) needs_tracefs = true;
  }
  if (needs_tracefs) {
    if (auto why = ensure_tracefs(); !why.empty()) return Error(Errc::kMissingFacility, why);
  }
  if (const int error = bpf_object__load(loaded->object_)) return Error(Errc::kMissingFacility, reason(step, -error));

  bpf_object__for_each_program(program, loaded->object_) {
    if (!bpf_program__autoload(program)) continue;
    if (const int error = attach_program(program, binary, loaded->links_, step)) {
      if (error == ENOENT && step == Step::kAttachUsdt && absent == AbsentPoints::kSkip) continue;
      return Error(Errc::kMissingFacility, fmt::format("{} ({})", reason(step, error), bpf_program__section_name(program)));
    }
  }
  if (bpf_map* scopes = loaded->map("scopes"); scopes && !shared.scopes.valid()) shared.scopes = UniqueFd(dup(bpf_map__fd(scopes)));
  return loaded;
}

LoadedObject::~LoadedObject() {
  for (bpf_link* link : links_) bpf_link__destroy(link);
  bpf_object__close(object_);
}

bpf_map* LoadedObject::map(const char* name) const { return bpf_object__find_map_by_name(object_, name); }

uint64_t LoadedObject::missed() const {
  uint64_t total = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_) {
    bpf_prog_info info{};
    uint32_t size_bytes = sizeof info;
    if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size_bytes) != 0) continue;
    total += info.recursion_misses;
  }
  return total;
}

bool object_has_map(const std::string& name, const char* map) {
  CaptureLibbpf libbpf;
  bpf_object* object = open_object(name);
  if (!object) return false;
  const bool found = bpf_object__find_map_by_name(object, map) != nullptr;
  bpf_object__close(object);
  return found;
}

}  // namespace daxlab::probes
