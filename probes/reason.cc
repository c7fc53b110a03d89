#include "probes/reason.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace daxlab::probes {
namespace {

constinit thread_local std::array<char, 256> t_warning{};

int keep_warning(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  return std::vsnprintf(t_warning.data(), t_warning.size(), format, arguments);
}

const char* privilege() {
  return geteuid() == 0 ? "this kernel or container forbids it even to root (lockdown, seccomp or a user namespace)"
                        : "run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH";
}

const char* refused(Step step) {
  switch (step) {
    case Step::kLoadFunction:
      return geteuid() == 0 ? "this kernel forbids function tracing (lockdown, or built without dynamic ftrace)" : privilege();
    case Step::kAttachTracepoint:
      return geteuid() == 0 ? privilege() : "tracefs is readable by root only: run as root, or with CAP_DAC_READ_SEARCH";
    default: return privilege();
  }
}

const char* absent(Step step) {
  switch (step) {
    case Step::kLoadTracing:
    case Step::kLoadFunction:
      return kernel_has_btf() ? "this kernel has no such tracepoint or function"
                              : "this kernel does not describe its types: it needs CONFIG_DEBUG_INFO_BTF, and /sys mounted";
    case Step::kLoad:
      return kernel_has_btf() ? "this kernel lacks something the probe reads"
                              : "this kernel does not describe its types: it needs CONFIG_DEBUG_INFO_BTF, and /sys mounted";
    case Step::kAttachTracepoint:
      return "no such tracepoint here, or tracefs is missing: mount -t tracefs nodev /sys/kernel/tracing";
    case Step::kAttachUsdt: return "the program carries no such point: build it with systemtap-sdt-dev and the engine";
    default: return "not there";
  }
}

}  // namespace

std::string reason(Step step, int error) {
  const char* known = strerrorname_np(error);
  const std::string name = known ? known : fmt::format("errno {}", error);
  switch (error) {
    case EACCES:
      if (step == Step::kLoad || step == Step::kLoadTracing || step == Step::kLoadFunction) {
        return fmt::format("{}: this kernel's verifier refuses the program", name);
      }
      return fmt::format("{}: {}", name, refused(step));
    case EPERM: return fmt::format("{}: {}", name, refused(step));
    case ENOENT:
    case ESRCH:
    case ENODEV: return fmt::format("{}: {}", name, absent(step));
    case EOPNOTSUPP:
    case ENOSYS: return fmt::format("{}: this kernel does not support it; a newer one may", name);
    case EINVAL: return fmt::format("{}: this kernel's verifier or its tracing refuses the program", name);
    case ENOMEM: return fmt::format("{}: out of memory (or RLIMIT_MEMLOCK on kernels before 5.11: ulimit -l unlimited)", name);
    default: return fmt::format("{}: {}", name, std::strerror(error));
  }
}

CaptureLibbpf::CaptureLibbpf() {
  t_warning[0] = '\0';
  libbpf_set_print(keep_warning);
}

CaptureLibbpf::~CaptureLibbpf() { libbpf_set_print(nullptr); }

std::string CaptureLibbpf::take() {
  std::string text(t_warning.data());
  t_warning[0] = '\0';
  for (char& letter : text) {
    if (letter == '\n') letter = ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

bool kernel_has_btf() { return faccessat(AT_FDCWD, "/sys/kernel/btf/vmlinux", R_OK, AT_EACCESS) == 0; }

}  // namespace daxlab::probes
