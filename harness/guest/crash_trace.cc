#include "harness/guest/crash_trace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "engines/base/units.h"
#include "harness/process.h"

namespace daxlab::harness {
namespace {

struct FileEvent {  // trace_event
  uint64_t offset;
  uint32_t size;
  uint32_t kind;
};

using Kind = pmem::Event::Kind;
constexpr Kind kKinds[] = {Kind::kStore, Kind::kStream, Kind::kFlush, Kind::kFence, Kind::kOpBegin, Kind::kOpEnd, Kind::kFence};  // trace_kind
constexpr uint32_t kLocked = 6;
constexpr uint32_t kStoreBytesMax = 64;

Error damaged(size_t at) { return {Errc::kCorrupt, fmt::format("the recording is damaged at byte {}", at)}; }

}  // namespace

Result<pmem::Trace> trace_of(std::span<const std::byte> recording, Ordering ordering) {
  pmem::Trace trace;
  for (size_t at = 0; at < recording.size();) {
    FileEvent read{};
    if (recording.size() - at < sizeof(read)) return damaged(at);
    std::memcpy(&read, recording.data() + at, sizeof(read));
    if (read.kind >= std::size(kKinds)) return damaged(at);
    const Kind kind = kKinds[read.kind];
    const bool stores = kind == Kind::kStore || kind == Kind::kStream;
    const size_t held = stores ? align_up(read.size, sizeof(uint64_t)) : 0;
    const size_t data_at = at + sizeof(read);
    if ((stores && (read.size == 0 || read.size > kStoreBytesMax)) || recording.size() - data_at < held) return damaged(at);
    at = data_at + held;
    if (read.kind == kLocked && ordering == Ordering::kFences) continue;
    trace.events.push_back({kind, 0, read.offset, read.size, trace.data.size(), nullptr, 0});
    trace.data.insert(trace.data.end(), recording.begin() + static_cast<ptrdiff_t>(data_at),
                      recording.begin() + static_cast<ptrdiff_t>(data_at + (stores ? read.size : 0)));
  }
  return trace;
}

Result<std::vector<std::byte>> read_bytes(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return Error(Errc::kUsage, fmt::format("{}: {}", path, std::strerror(errno)));
  std::vector<std::byte> bytes(static_cast<size_t>(status.st_size));
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got <= 0) return Error(Errc::kIo, fmt::format("{}: {}", path, got == 0 ? "cut off" : std::strerror(errno)));
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace daxlab::harness
