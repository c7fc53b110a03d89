// Progress of a run on stderr: one line that is rewritten, with the time left, on a terminal; a plain line now and then
// elsewhere.
#pragma once

#include <cstdint>
#include <string>

namespace daxlab::harness {

class Progress {
 public:
  explicit Progress(size_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// A repetition begins: `done` are finished, of which `done_before` were before this process.
  void begin(size_t done, const std::string& what);
  /// Redraws on a terminal; called about once a second.
  void tick();
  /// A repetition ended.
  void finished();
  /// A whole line for people, above the progress line.
  void line(const std::string& text);

 private:
  std::string left() const;
  void draw();
  void clear();

  const bool terminal_;
  const size_t total_;
  size_t done_ = 0;
  size_t finished_here_ = 0;
  std::string what_;
  uint64_t began_ns_;
  uint64_t last_plain_ns_ = 0;
};

/// "1m05s", "12s".
std::string format_seconds(double seconds);

}  // namespace daxlab::harness
