// For the harness's tests: runs the built program, and keeps files in a folder that goes away.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "harness/json.h"
#include "harness/process.h"

namespace daxlab::harness {

inline constexpr double kPatienceSeconds = 300;  // of a test for one program; on a busy machine with sanitizers

inline std::string program() { return std::string(DAXLAB_BINARY_DIR) + "/bin/daxlab"; }

struct Output {
  Ending ending;
  std::string out;
  std::string err;

  size_t error_lines() const { return static_cast<size_t>(std::count(err.begin(), err.end(), '\n')); }
};

/// Runs `daxlab` with these words; killed by SIGKILL after `seconds`.
inline Output run_daxlab(const std::vector<std::string>& words, double seconds = kPatienceSeconds,
                         std::vector<Inherited> more = {}) {
  Output output;
  auto out = memory_file("out");
  auto err = memory_file("err");
  EXPECT_TRUE(out.ok() && err.ok());
  more.push_back({out->get(), STDOUT_FILENO});
  more.push_back({err->get(), STDERR_FILENO});
  auto child = Child::start(program(), words, more);
  EXPECT_TRUE(child.ok());
  output.ending = child->wait(seconds, [] { return true; });
  output.out = read_whole(out->get()).value();
  output.err = read_whole(err->get()).value();
  return output;
}

class Folder {
 public:
  Folder() {
    std::string path = testing::TempDir() + "daxlab-test-XXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void write_text(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

inline std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Every whole line of results.jsonl.
inline std::vector<Json> read_records(const std::string& folder) {
  std::vector<Json> records;
  const std::string text = read_text(folder + "/results.jsonl");
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    auto record = Json::parse(text.substr(begin, end - begin));
    EXPECT_TRUE(record.ok()) << text.substr(begin, end - begin);
    if (record.ok()) records.push_back(*record);
  }
  return records;
}

inline std::string key_of(const Json& record) {
  return record["cell"].text() + " " + record["kind"].text() + " " + std::to_string(record["repetition"].u64());
}

}  // namespace daxlab::harness
