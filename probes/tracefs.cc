#include "probes/tracefs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace daxlab::probes {
namespace {

constexpr const char* kMountPoint = "/sys/kernel/tracing";

bool readable(const char* path) { return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0; }

}  // namespace

bool tracefs_readable() {
  return readable("/sys/kernel/tracing/events/sched") || readable("/sys/kernel/debug/tracing/events/sched");
}

std::string ensure_tracefs() {
  if (tracefs_readable()) return {};
  if (faccessat(AT_FDCWD, kMountPoint, F_OK, AT_EACCESS) != 0) return "this kernel is built without CONFIG_TRACING, or /sys is not mounted";
  if (geteuid() != 0) return "tracefs is not readable: root runs mount -t tracefs nodev /sys/kernel/tracing";
  if (mount("nodev", kMountPoint, "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return fmt::format("mounting tracefs failed ({}): run mount -t tracefs nodev {} outside of this container",
                       std::strerror(errno), kMountPoint);
  }
  return tracefs_readable() ? std::string() : "tracefs is mounted but not readable";
}

}  // namespace daxlab::probes
