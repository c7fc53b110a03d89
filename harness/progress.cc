#include "harness/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "engines/base/clock.h"

namespace daxlab::harness {
namespace {

constexpr uint64_t kPlainLineEveryNs = 10'000'000'000u;
constexpr size_t kColumnsDefault = 80;

size_t columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kColumnsDefault;
}

}  // namespace

std::string format_seconds(double seconds) {
  const auto whole = static_cast<uint64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

Progress::Progress(size_t total) : terminal_(::isatty(STDERR_FILENO) == 1), total_(total), began_ns_(monotonic_ns()) {}

Progress::~Progress() { clear(); }

std::string Progress::left() const {
  if (finished_here_ == 0) return "";
  const double spent = static_cast<double>(monotonic_ns() - began_ns_) * 1e-9;
  const double each = spent / static_cast<double>(finished_here_);
  return fmt::format(", {} left", format_seconds(each * static_cast<double>(total_ - done_)));
}

void Progress::draw() {
  std::string text = fmt::format("[{}/{}{}] {}", done_, total_, left(), what_);
  const size_t width = columns() - 1;
  if (text.size() > width) text.resize(width);
  fmt::print(stderr, "\r\033[K{}", text);
  static_cast<void>(std::fflush(stderr));
}

void Progress::clear() {
  if (!terminal_) return;
  fmt::print(stderr, "\r\033[K");
  static_cast<void>(std::fflush(stderr));
}

void Progress::begin(size_t done, const std::string& what) {
  done_ = done;
  what_ = what;
  if (terminal_) return draw();
  const uint64_t now = monotonic_ns();
  if (last_plain_ns_ != 0 && now - last_plain_ns_ < kPlainLineEveryNs) return;
  last_plain_ns_ = now;
  fmt::print(stderr, "daxlab: {}/{} repetitions done{}; now {}\n", done_, total_, left(), what_);
}

void Progress::tick() {
  if (terminal_) draw();
}

void Progress::finished() {
  ++done_;
  ++finished_here_;
}

void Progress::line(const std::string& text) {
  clear();
  fmt::print(stderr, "daxlab: {}\n", text);
}

}  // namespace daxlab::harness
