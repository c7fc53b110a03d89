#include "harness/results.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

namespace daxlab::harness {
namespace fs = std::filesystem;
namespace {

Error unusable(const std::string& path, const std::string& why) { return {Errc::kUsage, fmt::format("{}: {}", path, why)}; }

Result<void> sync_folder(const std::string& path) {
  const Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return Error(Errc::kIo, fmt::format("{}: {}", path, strerror(errno)));
  return {};
}

Result<std::string> read_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error(Errc::kNotFound, fmt::format("{}: {}", path, strerror(errno)));
  return read_whole(fd.get());
}

}  // namespace

std::string default_run_folder() {
  char host[65] = "host";
  static_cast<void>(::gethostname(host, sizeof(host) - 1));
  const time_t now = ::time(nullptr);
  tm utc{};
  ::gmtime_r(&now, &utc);
  char stamp[32];
  static_cast<void>(::strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc));
  return fmt::format("results/{}-{}", stamp, host);
}

std::string utc_now() {
  const time_t now = ::time(nullptr);
  tm utc{};
  ::gmtime_r(&now, &utc);
  char stamp[32];
  static_cast<void>(::strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &utc));
  return stamp;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Result<void> write_file_durably(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  {
    const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(fd.get()) != 0) {
      return Error(Errc::kIo, fmt::format("{}: {}", temporary, strerror(errno)));
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return Error(Errc::kIo, fmt::format("{}: {}", path, strerror(errno)));
  return sync_folder(fs::path(path).parent_path().string());
}

Result<ResultsFolder> ResultsFolder::open(const Options& options) {
  ResultsFolder folder;
  folder.path_ = options.path.empty() ? default_run_folder() : options.path;
  while (folder.path_.size() > 1 && folder.path_.ends_with('/')) folder.path_.pop_back();
  std::error_code error;
  fs::create_directories(folder.path_, error);
  if (error) return unusable(folder.path_, fmt::format("cannot make this folder: {}", error.message()));
  const std::string lines = folder.path_ + "/results.jsonl";
  folder.file_ = Fd(::open(lines.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!folder.file_) return unusable(lines, fmt::format("cannot write: {}", strerror(errno)));
  if (::flock(folder.file_.get(), LOCK_EX | LOCK_NB) != 0) return unusable(folder.path_, "another run writes here");
  DAXLAB_TRY(folder.take_over(options));
  return folder;
}

std::string ResultsFolder::name() const {
  std::error_code error;
  return fs::weakly_canonical(path_, error).filename().string();
}

/// Reads what is finished; cuts a torn last line off, so that the next append begins a line.
Result<void> ResultsFolder::take_over(const Options& options) {
  fresh_ = !fs::exists(path_ + "/environment.json");
  DAXLAB_ASSIGN(const std::string text, read_whole(file_.get()));
  if (!options.resume) {
    if (fresh_ && text.empty()) return {};
    return unusable(path_, "holds results already; add --resume to go on with them, or choose another --out");
  }
  if (!fresh_) DAXLAB_TRY(check_environment(options));
  const size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  if (whole != text.size() && (::ftruncate(file_.get(), static_cast<off_t>(whole)) != 0 || ::fdatasync(file_.get()) != 0)) {
    return unusable(path_, fmt::format("cannot cut off the torn last line: {}", strerror(errno)));
  }
  size_t number = 0;
  for (size_t begin = 0; begin < whole;) {
    const size_t end = text.find('\n', begin);
    ++number;
    const auto record = Json::parse(std::string_view(text).substr(begin, end - begin));
    if (!record.ok()) return unusable(path_ + "/results.jsonl", fmt::format("line {} is not a record", number));
    if (!note(*record).ok())
      return unusable(path_ + "/results.jsonl", fmt::format("line {} is not a record of this version", number));
    begin = end + 1;
  }
  return {};
}

Result<void> ResultsFolder::check_environment(const Options& options) const {
  DAXLAB_ASSIGN(const std::string text, read_file(path_ + "/environment.json"));
  const auto environment = Json::parse(text);
  if (!environment.ok()) return unusable(path_ + "/environment.json", environment.error().message());
  if ((*environment)["matrix_hash"].text() != options.matrix_hash || (*environment)["seed"].u64() != options.seed) {
    return unusable(path_, "is a run of another matrix or seed; resume it with the arguments it was begun with");
  }
  return {};
}

Result<void> ResultsFolder::note(const Json& record) {
  DAXLAB_ASSIGN(const Kind kind, parse_kind(record["kind"].text()));
  if (record["schema"].u64() != kSchemaVersion || !record["cell"].is_string()) return Errc::kUsage;
  const std::string cell = record["cell"].text();
  finished_.emplace(cell, kind, static_cast<uint32_t>(record["repetition"].u64()));
  if (record["status"].text() == "failed") ++failed_;
  if (kind == Kind::kPlain && record["status"].text() == "ok") plain_ns_[cell].push_back(record["ns_per_op"].real());
  return {};
}

Result<void> ResultsFolder::write_environment(const Json& environment) {
  DAXLAB_TRY(write_file_durably(path_ + "/environment.json", environment.dump(true) + "\n"));
  fresh_ = false;
  return {};
}

Result<void> ResultsFolder::append(const Json& record) {
  const std::string line = record.dump() + "\n";
  if (::write(file_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fdatasync(file_.get()) != 0) {
    return Error(Errc::kIo, fmt::format("{}/results.jsonl: {}", path_, strerror(errno)));
  }
  return note(record);
}

}  // namespace daxlab::harness
