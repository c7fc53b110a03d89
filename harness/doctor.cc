#include "harness/doctor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "engines/base/trace.h"
#include "engines/base/units.h"
#include "engines/dax/mmu.h"
#include "engines/pmem/floors.h"
#include "engines/pmem/persist.h"
#include "engines/pmem/region.h"
#include "harness/environment.h"
#include "harness/process.h"
#include "probes/loader.h"

namespace daxlab::harness {
namespace {

namespace fs = std::filesystem;
using Findings = std::vector<Finding>;

constexpr const char* kPython = "/usr/bin/python3";
constexpr uint64_t kGuestBytes = kGiB;     // harness/guest/lab.py: kernel package, unpacked modules, image, snapshot
constexpr uint64_t kQuickRunBytes = kGiB;  // the quick matrix's medium, its twin on tmpfs and the programs

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string shown_mib(uint64_t size_bytes) { return fmt::format("{} MiB", size_bytes / kMiB); }

/// The first line of /proc/cpuinfo's "flags", with a space at both ends.
std::string cpu_flags() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("flags")) return line.substr(line.find(':') + 1) + " ";
  }
  return "";
}

std::optional<std::string> in_path(const char* program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

// --- machine

void add_machine(Findings& findings) {
  const std::string flags = cpu_flags();
  const bool invariant = flags.find(" constant_tsc ") != std::string::npos && flags.find(" nonstop_tsc ") != std::string::npos;
  findings.push_back({"machine", "invariant time-stamp counter", invariant,
                      invariant ? "constant_tsc, nonstop_tsc" : "not announced by the CPU",
                      invariant ? "" : "times are wrong where the clock frequency changes; run on another machine"});
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  const auto cpus = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  findings.push_back({"machine", "a quiet machine", load < 0.5 * cpus, fmt::format("load {:.1f} on {:.0f} CPUs", load, cpus),
                      load < 0.5 * cpus ? "" : "end what else runs: intervals widen, verdicts turn ambiguous"});
  std::ifstream meminfo("/proc/meminfo");
  uint64_t available_kib = 0;
  for (std::string key; meminfo >> key;) {
    if (key == "MemAvailable:") meminfo >> available_kib;
    meminfo.ignore(256, '\n');
  }
  const uint64_t available = available_kib * kKiB;
  findings.push_back({"machine", "free memory", available >= kQuickRunBytes, shown_mib(available),
                      available >= kQuickRunBytes ? ""
                                                  : fmt::format("free {}, or choose a smaller medium with --media dram:SIZE",
                                                                shown_mib(kQuickRunBytes))});
  struct statvfs shm {};
  const bool mounted = ::statvfs("/dev/shm", &shm) == 0;
  const uint64_t shm_bytes = mounted ? static_cast<uint64_t>(shm.f_bavail) * shm.f_frsize : 0;
  const bool roomy = shm_bytes >= kQuickRunBytes / 4;
  findings.push_back({"machine", "tmpfs for the posix engine", roomy,
                      mounted ? "/dev/shm, " + shown_mib(shm_bytes) + " free" : "/dev/shm is missing",
                      roomy ? "" : "mount -t tmpfs -o size=1g tmpfs /dev/shm, or name a folder: posix:path=DIR"});
  findings.push_back({"machine", "USDT marks in this build", DAXLAB_HAS_USDT != 0, DAXLAB_HAS_USDT ? "compiled in" : "left out",
                      DAXLAB_HAS_USDT ? "" : "apt-get install systemtap-sdt-dev, and build again"});
}

// --- pmem

std::vector<std::string> names_in(const char* folder, std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix)) names.push_back(name);
  }
  return names;
}

std::vector<std::string> dax_mounts() {
  std::vector<std::string> found;
  std::ifstream in("/proc/mounts");
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string device, where, type, options;
    words >> device >> where >> type >> options;
    if (("," + options + ",").find(",dax") != std::string::npos) found.push_back(fmt::format("{} ({})", where, type));
  }
  return found;
}

Finding either(const char* group, const char* name, const std::vector<std::string>& found, const char* none, const char* remedy) {
  std::string names;
  for (const std::string& one : found) names += (names.empty() ? "" : ", ") + one;
  return {group, name, !found.empty(), found.empty() ? none : names, found.empty() ? remedy : ""};
}

void add_pmem(Findings& findings) {
  findings.push_back(either("pmem", "persistent memory", names_in("/sys/bus/nd/devices", "namespace"), "no NVDIMM namespace",
                            "none needed: media are emulated on DRAM, and every record says so"));
  findings.push_back(either("pmem", "device DAX", names_in("/dev", "dax"), "no /dev/dax*",
                            "ndctl create-namespace --mode=devdax, where there is pmem"));
  findings.push_back(
      either("pmem", "file systems with DAX", dax_mounts(), "none mounted", "mount -o dax=always, where there is pmem"));
  pmem::init_door();
  const bool clwb = pmem::g_door.instruction == pmem::FlushInstruction::kClwb;
  findings.push_back({"pmem", "clwb", clwb, fmt::format("flushes by {}", pmem::name(pmem::g_door.instruction)),
                      clwb ? "" : "flushed lines leave the cache and cost a miss when read again"});
  findings.push_back({"pmem", "64-byte streaming stores (AVX-512)", pmem::g_door.avx512,
                      pmem::g_door.avx512 ? "used" : "8-byte ones are used", ""});
}

// --- mapped files

void add_user_faults(Findings& findings) {
  const int fd = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
  uffdio_api api{};
  api.api = UFFD_API;
  const bool opened = fd >= 0;
  const int why = errno;
  const bool asked = opened && ::ioctl(fd, UFFDIO_API, &api) == 0;
  if (opened) ::close(fd);
  struct Feature {
    const char* name;
    uint64_t bit;
    const char* remedy;
  };
  constexpr const char* kElse = "real page tables by SIGSEGV are used";
  for (const Feature& feature :
       {Feature{"userfaultfd, minor faults on shared memory", UFFD_FEATURE_MINOR_SHMEM, "Linux 5.14 or later; else "},
        Feature{"userfaultfd, delivered as a signal", UFFD_FEATURE_SIGBUS, "Linux 4.14 or later; else "},
        Feature{"userfaultfd, write protection of shared memory", uint64_t{1} << 12, "Linux 5.19 or later; else "}}) {
    const bool there = asked && (api.features & feature.bit) != 0;
    const std::string detail = there ? "there" : opened ? "not in this kernel" : fmt::format("refused: {}", std::strerror(why));
    const std::string remedy = opened ? std::string(feature.remedy) + kElse
                                      : std::string("sysctl vm.unprivileged_userfaultfd=1, or run as root; else ") + kElse;
    findings.push_back({"mapped files", feature.name, there, detail, there ? "" : remedy});
  }
}

void add_mapped(Findings& findings) {
  pmem::MediaSpec spec;
  spec.size_bytes = 64 * kMiB;
  const auto region = pmem::Region::open(spec);
  if (!region.ok()) {
    findings.push_back({"mapped files", "a medium on DRAM", false, region.error().message(), "free memory"});
    return;
  }
  const bool huge = (*region)->huge_pages();
  findings.push_back({"mapped files", "huge pages behind a medium (MADV_COLLAPSE)", huge,
                      huge ? "the medium is mapped by 2 MiB entries" : "mapped by 4 KiB entries",
                      huge ? "" : "Linux 6.1 or later and unfragmented memory; else TLB misses are part of every number"});
  add_user_faults(findings);
  const auto mmu = dax::Mmu::create(**region);
  findings.push_back({"mapped files", "page tables for mapped files", mmu.ok(),
                      mmu.ok() ? fmt::format("{}: {}", dax::name((*mmu)->kind()), (*mmu)->why()) : mmu.error().message(), ""});
  const std::string limit = first_line("/proc/sys/vm/max_map_count");
  const uint64_t windows = std::strtoull(limit.c_str(), nullptr, 10);
  const bool many = windows >= 262144;
  findings.push_back(
      {"mapped files", "mappings a process may have", many, limit,
       many ? ""
            : "sysctl vm.max_map_count=262144 to map media in runs below 64 KiB; else the software page table is used for them"});
}

// --- programs

void add_probes(Findings& findings) {
  for (probes::Facility& facility : probes::facilities()) {
    findings.push_back(
        {"probes", std::move(facility.name), facility.available, std::move(facility.detail), std::move(facility.remedy)});
  }
}

/// What the system's Python prints for a program; empty where it does not run.
std::string python_says(const char* program) {
  auto output = memory_file("doctor");
  if (!output.ok() || ::access(kPython, X_OK) != 0) return "";
  auto child = Child::start(kPython, {"-c", program}, {{output->get(), STDOUT_FILENO}, {output->get(), STDERR_FILENO}});
  if (!child.ok()) return "";
  const Ending ending = child->wait(60, [] { return true; });
  const auto text = read_whole(output->get());
  return ending.kind == Ending::Kind::kExit && ending.code == 0 && text.ok() ? text->substr(0, text->find('\n')) : "";
}

void add_python(Findings& findings) {
  constexpr const char* kAsk =
      "import importlib.metadata as m\n"
      "def v(p):\n"
      " try: return p + ' ' + m.version(p)\n"
      " except m.PackageNotFoundError: return '!' + p\n"
      "print(', '.join(v(p) for p in ('matplotlib', 'pandas', 'scipy', 'jinja2')))";
  const std::string versions = python_says(kAsk);
  const bool complete = !versions.empty() && versions.find('!') == std::string::npos;
  findings.push_back({"report", "Python and its packages", complete,
                      versions.empty() ? std::string(kPython) + " does not run" : versions,
                      complete ? "" : "apt-get install python3-matplotlib python3-pandas python3-scipy python3-jinja2"});
}

/// What `daxlab exact` installs and fetches on first use, and where it would end with exit code 3.
void add_exact(Findings& findings) {
  struct Program {
    const char* name;
    const char* package;
  };
  constexpr Program kPrograms[] = {{"qemu-system-x86_64", "qemu-system-x86"}, {"busybox", "busybox-static"}, {"ndctl", "ndctl"},
                                   {"mkfs.xfs", "xfsprogs"},                  {"mkfs.ext4", "e2fsprogs"},    {"lz4", "lz4"},
                                   {"modinfo", "kmod"}};
  std::string missing;
  std::string packages;
  for (const Program& program : kPrograms) {
    if (in_path(program.name) || ::access(fmt::format("/usr/sbin/{}", program.name).c_str(), X_OK) == 0) continue;
    missing += fmt::format(" {}", program.name);
    packages += fmt::format(" {}", program.package);
  }
  findings.push_back({"exact", "QEMU and the guest's programs", missing.empty(), missing.empty() ? "there" : "no" + missing,
                      missing.empty() ? "" : "apt-get install --no-install-recommends" + packages});
  const std::string guest = source_folder() + "/build/guest";
  const std::string kernel = first_line(guest + "/kernel/package");
  findings.push_back({"exact", "the guest's kernel", !kernel.empty(), kernel.empty() ? "not fetched yet" : kernel,
                      kernel.empty() ? "daxlab exact --setup, which fetches linux-image-cloud-amd64 and unpacks it" : ""});
  struct statvfs disk {};
  const bool known = ::statvfs(source_folder().c_str(), &disk) == 0;
  const uint64_t free = known ? uint64_t{disk.f_bavail} * disk.f_frsize : 0;
  const bool enough = !kernel.empty() || free >= kGuestBytes;
  findings.push_back({"exact", "space for the guest", enough, shown_mib(free) + " free",
                      enough ? "" : fmt::format("{} at {}", shown_mib(kGuestBytes), guest)});
}

void add_programs(Findings& findings) {
  const bool device = ::access("/dev/fuse", R_OK | W_OK) == 0;
  findings.push_back(
      {"mount", "/dev/fuse", device, device ? "usable" : std::strerror(errno), device ? "" : "modprobe fuse, or run as root"});
  const auto helper = in_path("fusermount3");
  findings.push_back({"mount", "fusermount3", helper.has_value(), helper.value_or("missing"),
                      helper ? "" : "apt-get install fuse3, or mount as root"});
}

}  // namespace

std::vector<Finding> diagnose() {
  Findings findings;
  add_machine(findings);
  add_pmem(findings);
  add_mapped(findings);
  add_probes(findings);
  add_python(findings);
  add_exact(findings);
  add_programs(findings);
  return findings;
}

}  // namespace daxlab::harness
