// What eBPF can do on this machine, found by doing it: no answer is guessed from a version number.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "probes/libbpf_options.h"
#include "probes/loader.h"
#include "probes/reason.h"
#include "probes/tracefs.h"
#include "probes/unique_fd.h"

namespace daxlab::probes {
namespace {

constexpr const char* kAsRoot = "run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH";

/// Loads "return 0"; 0 or an errno. `kernel_name` is what a tracing program attaches to.
int try_load(bpf_prog_type type, bpf_attach_type attach = bpf_attach_type{}, const char* kernel_name = nullptr) {
  bpf_insn program[2]{};
  program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  program[1].code = BPF_JMP | BPF_EXIT;
  auto options = libbpf_options<bpf_prog_load_opts>();
  options.expected_attach_type = attach;
  if (kernel_name) {
    const int id = libbpf_find_vmlinux_btf_id(kernel_name, attach);
    if (id < 0) return -id;
    options.attach_btf_id = static_cast<uint32_t>(id);
  }
  const UniqueFd loaded(bpf_prog_load(type, "daxlab_check", "Dual BSD/GPL", program, 2, &options));
  return loaded.valid() ? 0 : errno;
}

int try_perf(uint32_t type, uint64_t config, pid_t pid, int cpu, uint64_t config1 = 0, uint64_t config2 = 0) {
  perf_event_attr attributes{};
  attributes.type = type;
  attributes.size = sizeof attributes;
  attributes.config = config;
  attributes.config1 = config1;
  attributes.config2 = config2;
  const UniqueFd fd(static_cast<int>(syscall(SYS_perf_event_open, &attributes, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
  return fd.valid() ? 0 : errno;
}

Facility verdict(const char* name, Step step, int error, const char* found, const char* remedy) {
  return {name, error == 0, error == 0 ? found : reason(step, error), error == 0 ? "" : remedy};
}

/// Are all of these tracepoints in the kernel's BTF? The first that is not goes into the answer.
Facility tracepoints(const char* name, std::initializer_list<const char*> wanted, const char* remedy) {
  for (const char* tracepoint : wanted) {
    if (libbpf_find_vmlinux_btf_id(tracepoint, BPF_TRACE_RAW_TP) < 0) {
      return {name, false, fmt::format("this kernel has no tracepoint {}", tracepoint), remedy};
    }
  }
  return {name, true, "there", ""};
}

Facility uprobes() {
  uint32_t type = 0;
  std::ifstream("/sys/bus/event_source/devices/uprobe/type") >> type;
  if (type == 0) {
    return {"uprobes (USDT)", false, "this kernel is built without CONFIG_UPROBES, or /sys is not mounted",
            "engine probes need such a kernel; the kernel's side is traced without them"};
  }
  static constexpr const char* kBinary = "/proc/self/exe";
  const int error = try_perf(type, 0, getpid(), -1, reinterpret_cast<uintptr_t>(kBinary), 4096);
  return verdict("uprobes (USDT)", Step::kAttachUsdt, error, "allowed", kAsRoot);
}

}  // namespace

std::vector<Facility> facilities() {
  CaptureLibbpf libbpf;
  std::vector<Facility> found;
  const bool has_btf = kernel_has_btf();
  found.push_back({"kernel type information (BTF)", has_btf, has_btf ? "/sys/kernel/btf/vmlinux" : "no /sys/kernel/btf/vmlinux",
                   has_btf ? "" : "a kernel with CONFIG_DEBUG_INFO_BTF, and /sys mounted"});
  const bool tracefs = tracefs_readable();
  found.push_back({"tracefs", tracefs, tracefs ? "readable" : "not mounted or not readable",
                   tracefs ? "" : "mount -t tracefs nodev /sys/kernel/tracing (a traced run does it as root)"});
  found.push_back(verdict("BPF programs", Step::kLoad, try_load(BPF_PROG_TYPE_TRACEPOINT), "may be loaded", kAsRoot));
  found.push_back(verdict("typed tracepoints (tp_btf)", Step::kLoadTracing,
                          try_load(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "sched_switch"), "may be loaded",
                          "plain tracepoints and software events are used where a probe has them as a fallback"));
  found.push_back(verdict("function tracing (fentry, fexit)", Step::kLoadFunction,
                          try_load(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "handle_mm_fault"), "may be loaded",
                          "not needed: the page-faults software event says when a fault ends"));
  found.push_back(verdict("software perf events on all CPUs", Step::kAttachPerf,
                          try_perf(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN, -1, 0), "allowed",
                          "run as root, or with CAP_PERFMON, or set kernel.perf_event_paranoid to -1"));
  found.push_back(uprobes());
  found.push_back(tracepoints("lock contention tracepoints", {"contention_begin", "contention_end"}, "Linux 5.19 or later"));
  found.push_back(tracepoints("mmap_lock tracepoints", {"mmap_lock_start_locking", "mmap_lock_acquire_returned"},
                              "Linux 5.11 or later, or the contention tracepoints alone"));
  found.push_back(tracepoints("interrupt call tracepoints (csd)", {"csd_queue_cpu", "csd_function_exit"},
                              "Linux 6.5 or later; without them shootdowns are counted, not timed"));
  found.push_back({"hardware cycle counter", try_perf(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, 0, -1) == 0, "", ""});
  Facility& cycles = found.back();
  cycles.detail = cycles.available ? "there" : "no performance counters (a virtual machine without a PMU?)";
  cycles.remedy = cycles.available ? "" : "not needed by any probe; instructions and misses come from the exact laboratory";
  return found;
}

}  // namespace daxlab::probes
