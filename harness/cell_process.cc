#include "harness/cell_process.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include "harness/child.h"
#include "harness/process.h"

namespace daxlab::harness {
namespace {

/// The last line that a child wrote to stderr: what a failed check or a sanitizer said.
std::string last_line(const std::string& text) {
  size_t end = text.size();
  while (end > 0 && text[end - 1] == '\n') --end;
  const size_t begin = text.rfind('\n', end == 0 ? 0 : end - 1);
  return text.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin + 1));
}

/// Waits for "ready BEGIN END", has the caller arm what observes the child, and gives the word. False: the child will say itself
/// what is wrong.
bool arm(Child& child, int control_fd, const CellProcessOptions& options) {
  char line[128] = {};
  if (!child.wait_readable(control_fd, options.timeout_seconds)) return false;
  const ssize_t length = ::read(control_fd, line, sizeof(line) - 1);
  uint64_t begin = 0;
  uint64_t end = 0;
  if (length <= 0 || std::sscanf(line, "ready %lu %lu", &begin, &end) != 2) return false;
  std::vector<probes::AddressRange> ranges;
  if (end > begin) ranges.push_back({begin, end});
  if (const auto begun = options.arm(child.pid(), ranges); !begun.ok()) {
    fmt::print(stderr, "daxlab: probes: {}\n", begun.error().message());
    return false;
  }
  return ::write(control_fd, "g", 1) == 1;
}

Json died(const Ending& ending, const std::string& said) {
  std::string error = "child " + ending.describe();
  if (!said.empty()) error += ": " + said;
  Json result = Json::object();
  return result.set("status", "failed").set("error", error);
}

}  // namespace

Result<CellProcessResult> run_cell_process(const CellTask& task, const CellProcessOptions& options) {
  DAXLAB_ASSIGN(const Fd task_file, memory_file("task", task.to_json().dump()));
  DAXLAB_ASSIGN(const Fd result_file, memory_file("result"));
  DAXLAB_ASSIGN(const Fd said_file, memory_file("stderr"));
  std::vector<Inherited> inherited{{task_file.get(), kTaskFd}, {result_file.get(), kResultFd}, {said_file.get(), STDERR_FILENO}};
  if (options.media_fd >= 0) inherited.push_back({options.media_fd, kMediaFd});
  Fd control;
  Fd control_of_child;
  if (options.arm) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return Error(Errc::kMissingFacility, "no socket pair");
    control = Fd(pair[0]);
    control_of_child = Fd(pair[1]);
    inherited.push_back({control_of_child.get(), kControlFd});
  }
  auto started = Child::start(own_path(), {"cell"}, inherited);
  if (!started.ok()) return Error(Errc::kMissingFacility, started.error().message());
  Child child = *std::move(started);
  control_of_child.reset();
  CellProcessResult out;
  out.armed = options.arm && arm(child, control.get(), options);
  control.reset();  // a child that was not armed reads the end of the file and says so
  const Ending ending = child.wait(options.timeout_seconds, options.tick);

  out.interrupted = ending.kind == Ending::Kind::kInterrupted;
  DAXLAB_ASSIGN(const std::string said, read_whole(said_file.get()));
  DAXLAB_ASSIGN(const std::string text, read_whole(result_file.get()));
  auto result = Json::parse(text);
  if (ending.kind == Ending::Kind::kExit && ending.code == 0 && result.ok() && result->is_object()) {
    out.result = *std::move(result);
  } else {
    out.result = died(ending, last_line(said));
  }
  return out;
}

}  // namespace daxlab::harness
