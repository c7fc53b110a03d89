#include "harness/environment.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "engines/base/clock.h"
#include "engines/pmem/emulation.h"
#include "engines/pmem/persist.h"
#include "harness/calibrate.h"
#include "harness/results.h"

namespace daxlab::harness {

extern const char kSourceFolder[PATH_MAX];  // source_folder.cc

namespace fs = std::filesystem;
namespace {

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

/// The value of "key : value" or "key=value" in a file of such lines.
std::string value_of(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const size_t mark = line.find_first_of(":=");
    if (mark == std::string::npos || line.compare(0, key.size(), key) != 0) continue;
    if (line.find_first_not_of(" \t", key.size()) != mark) continue;
    const size_t begin = line.find_first_not_of(" \t\"", mark + 1);
    const size_t end = line.find_last_not_of(" \t\"");
    return begin == std::string::npos ? "" : line.substr(begin, end - begin + 1);
  }
  return "";
}

/// "always [madvise] never" -> "madvise".
std::string chosen(const std::string& path) {
  const std::string line = first_line(path);
  const size_t begin = line.find('[');
  const size_t end = line.find(']');
  return begin == std::string::npos || end == std::string::npos ? line : line.substr(begin + 1, end - begin - 1);
}

Json cpu_json() {
  Json json = Json::object();
  json.set("model", value_of("/proc/cpuinfo", "model name")).set("microcode", value_of("/proc/cpuinfo", "microcode"));
  json.set("online", first_line("/sys/devices/system/cpu/online"))
      .set("count", static_cast<int64_t>(::sysconf(_SC_NPROCESSORS_ONLN)));
  json.set("cache_l2_bytes", static_cast<int64_t>(::sysconf(_SC_LEVEL2_CACHE_SIZE)));
  json.set("cache_l3_bytes", static_cast<int64_t>(::sysconf(_SC_LEVEL3_CACHE_SIZE)));
  const std::string governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  json.set("governor", governor.empty() ? Json() : Json(governor));
  json.set("clocksource", first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
  json.set("tsc_ghz", 1.0 / ns_per_tick());
  Json mitigations = Json::object();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/sys/devices/system/cpu/vulnerabilities", error)) {
    mitigations.set(entry.path().filename().string(), first_line(entry.path().string()));
  }
  return json.set("mitigations", std::move(mitigations));
}

Json kernel_json() {
  utsname names{};
  static_cast<void>(::uname(&names));
  Json json = Json::object();
  json.set("release", names.release).set("version", names.version).set("machine", names.machine);
  // What follows " -- " is for init, and no business of a measurement.
  const std::string boot = first_line("/proc/cmdline");
  json.set("command_line", boot.substr(0, boot.find(" -- "))).set("distribution", value_of("/etc/os-release", "PRETTY_NAME"));
  json.set("hypervisor", value_of("/proc/cpuinfo", "flags").find(" hypervisor") != std::string::npos);
  return json.set("perf_event_paranoid", first_line("/proc/sys/kernel/perf_event_paranoid"));
}

Json memory_json(const MediaPool& media) {
  Json json = Json::object();
  json.set("total", value_of("/proc/meminfo", "MemTotal")).set("available", value_of("/proc/meminfo", "MemAvailable"));
  json.set("swap", value_of("/proc/meminfo", "SwapTotal"));
  json.set("thp", chosen("/sys/kernel/mm/transparent_hugepage/enabled"));
  json.set("thp_shmem", chosen("/sys/kernel/mm/transparent_hugepage/shmem_enabled"));
  return json.set("media_in_huge_pages", media.huge_pages());
}

Json pmem_json(const Matrix& matrix) {
  pmem::init_door();
  Json devices = Json::array();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/sys/bus/nd/devices", error)) devices.push(entry.path().filename().string());
  Json media = Json::array();
  std::string last;
  for (const Cell& cell : matrix.cells) {
    const std::string text = cell.media.to_string();
    if (text != last) media.push(text);
    last = text;
  }
  Json json = Json::object();
  json.set("nd_devices", std::move(devices)).set("media", std::move(media));
  return json.set("flush_instruction", pmem::name(pmem::g_door.instruction)).set("avx512", pmem::g_door.avx512);
}

/// What a command prints, its first `bytes_max` bytes; empty when it fails.
std::string output_of(const std::string& command) {
  struct Close {
    void operator()(FILE* pipe) const { ::pclose(pipe); }
  };
  const std::unique_ptr<FILE, Close> pipe(::popen((command + " 2>/dev/null").c_str(), "re"));
  if (pipe == nullptr) return "";
  char text[4096];
  const size_t length = std::fread(text, 1, sizeof(text), pipe.get());
  std::string out(text, length);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

Json git_json() {
  const std::string git = fmt::format("git -C '{}' ", source_folder());
  Json json = Json::object();
  const std::string commit = output_of(git + "rev-parse HEAD");
  if (commit.empty()) return json.set("commit", Json());
  json.set("commit", commit).set("branch", output_of(git + "rev-parse --abbrev-ref HEAD"));
  return json.set("dirty", !output_of(git + "status --porcelain --untracked-files=no").empty());
}

Json build_json() {
  Json json = Json::object();
  json.set("preset", build_preset());
#if defined(__clang__)
  json.set("compiler", "clang " __clang_version__);
#else
  json.set("compiler", "g++ " __VERSION__);
#endif
  return json.set("version", DAXLAB_VERSION);
}

}  // namespace

std::string build_preset() { return DAXLAB_PRESET; }

std::string source_folder() {
  const char* given = std::getenv("DAXLAB_SOURCE_DIR");
  return given != nullptr && *given != '\0' ? given : kSourceFolder;
}

Json environment_json(const Matrix& matrix, const std::vector<std::string>& command_line, const MediaPool& media,
                      bool calibrated) {
  Json words = Json::array();
  for (const std::string& word : command_line) words.push(word);
  Json probes = Json::array();
  for (const std::string& probe : matrix.probes) probes.push(probe);
  utsname names{};
  static_cast<void>(::uname(&names));
  Json json = Json::object();
  json.set("schema", kSchemaVersion).set("time", utc_now()).set("host", names.nodename);
  json.set("command_line", std::move(words))
      .set("matrix", matrix.name)
      .set("matrix_hash", matrix.hash())
      .set("seed", matrix.seed);
  json.set("repetitions", matrix.repetitions)
      .set("seconds", matrix.seconds)
      .set("ops", matrix.ops)
      .set("probes", std::move(probes));
  json.set("build", build_json()).set("git", git_json()).set("kernel", kernel_json()).set("cpu", cpu_json());
  json.set("memory", memory_json(media)).set("pmem", pmem_json(matrix));
  return json.set("calibration", calibrated ? calibration_json(calibrate(CalibrationExtent::kQuick)) : Json());
}

}  // namespace daxlab::harness
