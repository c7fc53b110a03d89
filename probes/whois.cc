#include "probes/whois.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "probes/libbpf_options.h"
#include "probes/reason.h"

namespace daxlab::probes {
namespace {

constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;  // include/linux/proc_ns.h, PROC_PID_INIT_INO

bool in_initial_namespace() {
  struct stat status {};
  return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kInitialPidNamespace;
}

}  // namespace

Whois::Whois(SharedMaps& shared) {
  auto loaded = LoadedObject::load("whois", 1, "", shared);
  if (loaded) {
    object_ = std::move(loaded).value();
  } else {
    why_not_ = loaded.error().message();
  }
}

Result<uint32_t> Whois::kernel_tgid(pid_t pid) const {
  if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH)) return Error(Errc::kNotFound, fmt::format("there is no process {}", pid));
  auto asked = ask(pid);
  if (asked || !in_initial_namespace()) return asked;
  return static_cast<uint32_t>(pid);
}

Result<uint32_t> Whois::ask(pid_t pid) const {
  const auto fail = [&](const std::string& why) {
    return Error(Errc::kMissingFacility,
                 fmt::format("this pid namespace's process {} cannot be told to the kernel ({}): run daxlab outside of it", pid, why));
  };
  if (!object_) return fail(why_not_);
  bpf_iter_link_info which{};
  which.task.pid = static_cast<uint32_t>(pid);
  auto options = libbpf_options<bpf_link_create_opts>();
  options.iter_info = &which;
  options.iter_info_len = sizeof which;
  const bpf_program* program = bpf_object__find_program_by_name(object_->object(), "whois");
  const UniqueFd link(bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_ITER, &options));
  if (!link.valid()) return fail(reason(Step::kIterate, errno));
  const UniqueFd iterator(bpf_iter_create(link.get()));
  if (!iterator.valid()) return fail(reason(Step::kIterate, errno));
  uint32_t tgid = 0;
  if (read(iterator.get(), &tgid, sizeof tgid) != sizeof tgid) return fail("it is not visible");
  return tgid;
}

}  // namespace daxlab::probes
