// The rules of the house that a program can check: file sizes, who includes whom, words that must not appear, layout proofs.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace daxlab {
namespace {

constexpr size_t kLinesMax = 600;
constexpr size_t kLinesNeedAReason = 400;
constexpr size_t kColumnsMax = 160;

struct SourceFile {
  std::string path;  ///< From the top of the tree.
  std::vector<std::string> lines;

  std::string folder() const { return path.substr(0, path.rfind('/')); }
  bool ends_with(std::string_view suffix) const { return path.ends_with(suffix); }
  /// Tests, benchmarks and their helpers link everything and may include it.
  bool is_test() const {
    return ends_with("_test.cc") || ends_with("_bench.cc") || ends_with("_fuzz.cc") || path.find("testing") != std::string::npos;
  }
};

const std::vector<SourceFile>& sources() {
  static const std::vector<SourceFile> files = [] {
    std::vector<SourceFile> found;
    const std::filesystem::path top = DAXLAB_SOURCE_DIR;
    for (const char* folder : {"engines", "workloads", "harness", "probes"}) {
      if (!std::filesystem::exists(top / folder)) continue;
      const auto options = std::filesystem::directory_options::follow_directory_symlink;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(top / folder, options)) {
        const std::string extension = entry.path().extension();
        if (extension != ".h" && extension != ".cc" && extension != ".c" && extension != ".def") continue;
        SourceFile file{entry.path().lexically_relative(top).string(), {}};
        std::ifstream stream(entry.path());
        for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
        found.push_back(std::move(file));
      }
    }
    std::sort(found.begin(), found.end(), [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
    return found;
  }();
  return files;
}

/// Calls use(file, line number, line) for every line of every source.
void each_line(const std::function<void(const SourceFile&, size_t, const std::string&)>& use) {
  for (const SourceFile& file : sources()) {
    for (size_t i = 0; i < file.lines.size(); ++i) use(file, i + 1, file.lines[i]);
  }
}

std::string included_path(const std::string& line) {
  constexpr std::string_view kBegin = "#include \"";
  if (!line.starts_with(kBegin)) return {};
  return line.substr(kBegin.size(), line.rfind('"') - kBegin.size());
}

TEST(Tidy, TheTreeIsThere) { EXPECT_GT(sources().size(), 50u) << DAXLAB_SOURCE_DIR; }

TEST(Tidy, NoFileIsLongerThan600Lines) {
  for (const SourceFile& file : sources()) {
    EXPECT_LE(file.lines.size(), kLinesMax) << file.path;
    if (file.lines.size() > kLinesNeedAReason)
      fmt::print("over {} lines: {} ({})\n", kLinesNeedAReason, file.path, file.lines.size());
  }
}

TEST(Tidy, NoLineIsWiderThanAScreen) {
  each_line([](const SourceFile& file, size_t number, const std::string& line) {
    EXPECT_LE(line.size(), kColumnsMax) << file.path << ":" << number;
  });
}

/// Which folders a folder's product code may include, by the order of the layers; its own is always allowed.
const std::map<std::string, std::set<std::string>>& allowed_includes() {
  static const std::set<std::string> kEngine = {"engines/base", "engines/pmem", "engines/api", "engines/dax"};
  static const std::map<std::string, std::set<std::string>> kAllowed = {
      {"engines/base", {}},
      {"engines/pmem", {"engines/base"}},
      {"engines/api", {"engines/base"}},
      {"engines/dax", {"engines/base", "engines/pmem", "engines/api"}},
      {"engines/crash", {"engines/base", "engines/pmem", "engines/api"}},
      {"engines/null", kEngine},
      {"engines/posix", kEngine},
      {"engines/native", kEngine},
      {"engines/xfslike", kEngine},
      {"engines/retrofit", {"engines/base", "engines/pmem", "engines/api", "engines/dax", "engines/xfslike"}},
      {"engines/vmap", {"engines/base", "engines/pmem", "engines/api", "engines/dax", "engines/xfslike"}},
      {"workloads", {"engines/base", "engines/api"}},
  };
  return kAllowed;
}

TEST(Tidy, NobodyIncludesUpwardOrSideways) {
  each_line([](const SourceFile& file, size_t number, const std::string& line) {
    const std::string path = included_path(line);
    if (path.empty() || file.is_test()) return;
    const std::string to = path.substr(0, path.rfind('/'));
    const bool harness = path.starts_with("harness/");
    EXPECT_TRUE(!harness || file.path.starts_with("harness/")) << file.path << ":" << number << " includes " << path;
    const auto allowed = allowed_includes().find(file.folder());
    if (allowed == allowed_includes().end() || to == file.folder()) return;
    const bool block_format = file.folder() == "engines/native" && path.starts_with("engines/xfslike/dirblock.");
    EXPECT_TRUE(allowed->second.contains(to) || block_format) << file.path << ":" << number << " includes " << path;
  });
}

// Pieced together, so that this file does not contain what it forbids.
TEST(Tidy, ForbiddenWordsDoNotAppear) {
  const auto word = [](std::string_view a, std::string_view b) { return std::string(a) + std::string(b); };
  const std::vector<std::string> words = {word(" ra", "nd("), word("std::e", "ndl"), word("FIX", "ME"), word("TO", "DO"),
                                          word("XX", "X")};
  each_line([&](const SourceFile& file, size_t number, const std::string& line) {
    for (const std::string& forbidden : words) {
      if (forbidden == words.back() && line.find("XXXXX") != std::string::npos) continue;  // mkdtemp's template
      EXPECT_EQ(line.find(forbidden), std::string::npos) << file.path << ":" << number << ": " << line;
    }
  });
}

TEST(Tidy, OnlyThePersistFilesHoldAPersistenceIntrinsic) {
  const std::vector<std::string> intrinsics = {"_mm_clf", "_mm_clw", "_mm_sfe", "_mm_stre", "_mm256_stre", "_mm512_stre", "_mm_mfe"};
  each_line([&](const SourceFile& file, size_t number, const std::string& line) {
    if (file.path.starts_with("engines/pmem/persist") || file.path == "engines/api/tidy_test.cc") return;
    for (const std::string& intrinsic : intrinsics)
      EXPECT_EQ(line.find(intrinsic), std::string::npos) << file.path << ":" << number;
  });
}

TEST(Tidy, EveryMediaStructProvesItsLayout) {
  size_t structs = 0;
  for (const SourceFile& file : sources()) {
    for (const std::string& line : file.lines) {
      const size_t at = line.find("struct ");
      if (at == std::string::npos || line.find_first_not_of(' ') != at || line.find('{') == std::string::npos) continue;
      std::istringstream words(line.substr(at + 7));
      std::string name;
      while (words >> name && name.starts_with("alignas")) {
      }
      if (!name.ends_with("Disk")) continue;
      ++structs;
      const bool proved = std::any_of(file.lines.begin(), file.lines.end(), [&](const std::string& l) {
        return l.find("DAXLAB_ON_MEDIA(" + name + ",") != std::string::npos;
      });
      EXPECT_TRUE(proved) << file.path << ": " << name;
    }
  }
  EXPECT_GT(structs, 0u);
}

TEST(Tidy, EveryHeaderIsIncludedOnceAndSaysWhatItIs) {
  for (const SourceFile& file : sources()) {
    if (!file.ends_with(".h") || file.path.starts_with("probes/")) continue;
    ASSERT_FALSE(file.lines.empty()) << file.path;
    EXPECT_TRUE(file.lines[0].starts_with("//") || file.lines[0].starts_with("/*")) << file.path << " does not say what it is";
    EXPECT_NE(std::find(file.lines.begin(), file.lines.end(), "#pragma once"), file.lines.end()) << file.path;
  }
}

}  // namespace
}  // namespace daxlab
