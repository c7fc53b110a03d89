#include "harness/matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace daxlab::harness {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kTwoCells = R"(
engines = ["null"]
media = ["dram:16MiB"]
[[cells]]
workload = "append"
block_bytes = ["4KiB", 65536]
)";

MatrixFile parsed(const std::string& toml) {
  auto file = parse_matrix(toml, "test.toml");
  EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message());
  return file.ok() ? *file : MatrixFile{};
}

std::string error_of(const Result<MatrixFile>& result) { return result.ok() ? "" : result.error().message(); }
std::string error_of(const Result<Matrix>& result) { return result.ok() ? "" : result.error().message(); }

Overrides with_axis(const std::string& axis, std::vector<std::string> values) {
  Overrides overrides;
  overrides.axes[axis] = std::move(values);
  return overrides;
}

TEST(MatrixFile, SyntaxErrorNamesLineAndColumn) {
  const auto file = parse_matrix("name = \"x\"\nengines = [\"null\"\n", "test.toml");
  EXPECT_THAT(error_of(file), testing::ContainsRegex("^test\\.toml:[23]:[0-9]+: "));
}

TEST(MatrixFile, WrongTypeNamesLineAndColumn) {
  EXPECT_THAT(error_of(parse_matrix("engines = [\"null\"]\nrepetitions = \"many\"\n", "test.toml")),
              StartsWith("test.toml:2:15: 'repetitions' must be a whole number, 1 to 1000"));
}

TEST(MatrixFile, WithoutCellsIsAnError) {
  EXPECT_THAT(error_of(parse_matrix("engines = [\"null\"]", "f")), HasSubstr("no [[cells]]"));
}

TEST(MatrixFile, CellsWithoutWorkloadIsAnError) {
  EXPECT_THAT(error_of(parse_matrix("[[cells]]\nthreads = 1\n", "f")),
              StartsWith("f:1:1: this [[cells]] table names no workload"));
}

TEST(MatrixFile, SecondsAndOpsTogetherIsAnError) {
  EXPECT_THAT(error_of(parse_matrix("seconds = 1\nops = 5\n[[cells]]\nworkload = 'append'\n", "f")), HasSubstr("not both"));
}

TEST(Matrix, NumbersAndSizesMeanTheSameValue) {
  const auto matrix = expand(parsed(kTwoCells), {});
  ASSERT_TRUE(matrix.ok()) << matrix.error().message();
  ASSERT_EQ(matrix->cells.size(), 2u);
  EXPECT_EQ(matrix->cells[0].params.get("block_bytes"), "4KiB");
  EXPECT_EQ(matrix->cells[1].params.get("block_bytes"), "64KiB");
}

TEST(Matrix, UnknownEngineIsNamed) {
  Overrides overrides;
  overrides.engines = {"nul"};
  EXPECT_THAT(error_of(expand(parsed(kTwoCells), overrides)), HasSubstr("unknown engine 'nul'"));
}

TEST(Matrix, UnknownWorkloadIsNamed) {
  Overrides overrides;
  overrides.workloads = {"apend"};
  EXPECT_THAT(error_of(expand(parsed(kTwoCells), overrides)), HasSubstr("'apend'"));
}

TEST(Matrix, AxisThatNobodyHasIsAnError) {
  EXPECT_THAT(error_of(expand(parsed(kTwoCells), with_axis("blok_bytes", {"4KiB"}))),
              StartsWith("no chosen engine or workload has an axis 'blok_bytes'; they have: "));
  EXPECT_THAT(error_of(expand(parsed(std::string(kTwoCells) + "colour = 'red'\n"), {})), HasSubstr("an axis 'colour'"));
}

TEST(Matrix, AxisOfAWorkloadThatWasNotChosenIsAnError) {
  EXPECT_THAT(error_of(expand(parsed(kTwoCells), with_axis("population", {"10"}))), HasSubstr("an axis 'population'"));
}

TEST(Matrix, WrongValueOfAnAxisIsNamed) {
  EXPECT_THAT(error_of(expand(parsed(kTwoCells), with_axis("block_bytes", {"5"}))), HasSubstr("block_bytes"));
  EXPECT_THAT(error_of(expand(parsed(kTwoCells), with_axis("crossing", {"ring"}))), HasSubstr("crossing 'ring'"));
  EXPECT_THAT(error_of(expand(parsed(kTwoCells), with_axis("threads", {"0"}))), HasSubstr("threads '0'"));
  EXPECT_THAT(error_of(expand(parsed(kTwoCells), with_axis("threads", {"257"}))), HasSubstr("threads '257'"));
}

TEST(Matrix, FlagReplacesTheListOfTheFile) {
  const auto matrix = expand(parsed(kTwoCells), with_axis("block_bytes", {"512"}));
  ASSERT_TRUE(matrix.ok());
  ASSERT_EQ(matrix->cells.size(), 1u);
  EXPECT_EQ(matrix->cells[0].params.get("block_bytes"), "512");
}

TEST(Matrix, WorkloadThatTheFileDoesNotNameRunsWithItsDefaults) {
  Overrides overrides;
  overrides.workloads = {"stat"};
  const auto matrix = expand(parsed(kTwoCells), overrides);
  ASSERT_TRUE(matrix.ok());
  ASSERT_EQ(matrix->cells.size(), 1u);
  EXPECT_EQ(matrix->cells[0].workload->name(), "stat");
}

TEST(Matrix, EngineThatEntersTheKernelRunsOnce) {
  Overrides overrides = with_axis("crossing", {"none", "syscall"});
  overrides.engines = {"null", "posix"};
  overrides.axes["block_bytes"] = {"4KiB"};
  const auto matrix = expand(parsed(kTwoCells), overrides);
  ASSERT_TRUE(matrix.ok());
  std::vector<std::string> seen;
  for (const Cell& cell : matrix->cells) seen.push_back(cell.engine.type->name() + " " + name(cell.crossing));
  EXPECT_THAT(seen, ElementsAre("null none", "null syscall", "posix syscall"));
}

TEST(Matrix, PinnedOptionIsNotVaried) {
  Overrides overrides = with_axis("path", {"/tmp", "/var/tmp"});
  overrides.axes["block_bytes"] = {"4KiB"};
  overrides.engines = {"posix:path=/dev/shm"};
  const auto matrix = expand(parsed(kTwoCells), overrides);
  ASSERT_TRUE(matrix.ok()) << matrix.error().message();
  ASSERT_EQ(matrix->cells.size(), 1u);
  EXPECT_EQ(matrix->cells[0].engine.options.get("path"), "/dev/shm");
}

TEST(Matrix, EqualCellsRunOnceAndLabelsTellThemApart) {
  Overrides overrides;
  overrides.engines = {"null", "null", "null@a", "null@b"};
  overrides.axes["block_bytes"] = {"4KiB"};
  const auto matrix = expand(parsed(kTwoCells), overrides);
  ASSERT_TRUE(matrix.ok());
  EXPECT_EQ(matrix->cells.size(), 3u);
}

TEST(Matrix, NarrowedGroupKeepsItsEnginesUnlessTheFlagNamesOthers) {
  const MatrixFile file = parsed(R"(
engines = ["null"]
[[cells]]
workload = "append"
[[cells]]
workload = "read"
engines = ["null@a", "null@b"]
)");
  EXPECT_EQ(expand(file, {})->cells.size(), 3u);
  Overrides overrides;
  overrides.engines = {"posix"};  // named nowhere in the file: it runs everything
  EXPECT_EQ(expand(file, overrides)->cells.size(), 2u);
}

TEST(Matrix, WorkloadThatSuitsNoEngineLeavesNothingToRun) {
  Overrides overrides;
  overrides.workloads = {"mmap_fault"};
  EXPECT_THAT(error_of(expand(parsed(kTwoCells), overrides)), StartsWith("nothing to run: mmap_fault on null"));
}

TEST(Matrix, RolesFixTheThreads) {
  Overrides overrides = with_axis("threads", {"1", "7"});
  overrides.workloads = {"fault_vs_write"};
  overrides.engines = {"posix"};
  const auto matrix = expand(parsed(kTwoCells), overrides);
  ASSERT_TRUE(matrix.ok());
  ASSERT_EQ(matrix->cells.size(), 1u);
  EXPECT_EQ(matrix->cells[0].threads, 2u);
}

TEST(Matrix, JobsComeInKindsAndEachOnce) {
  auto matrix = expand(parsed(kTwoCells), {});
  ASSERT_TRUE(matrix.ok());
  matrix->repetitions = 3;
  const std::vector<Job> jobs = matrix->jobs();
  ASSERT_EQ(jobs.size(), 2u * 3 + 2 + 2);
  std::set<std::tuple<size_t, Kind, uint32_t>> distinct;
  for (const Job& job : jobs) distinct.insert({job.cell, job.kind, job.repetition});
  EXPECT_EQ(distinct.size(), jobs.size());
  EXPECT_TRUE(std::is_sorted(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.kind < b.kind; }));
}

TEST(Matrix, SeedDecidesTheOrderAndNothingElse) {
  auto matrix = expand(parsed(kTwoCells), {});
  matrix->repetitions = 20;
  const auto order = [&](uint64_t seed) {
    matrix->seed = seed;
    std::vector<size_t> cells;
    for (const Job& job : matrix->jobs()) cells.push_back(job.cell);
    return cells;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
}

TEST(Matrix, HashCoversTheSeedAndTheCells) {
  const auto one = expand(parsed(kTwoCells), {});
  Overrides other;
  other.settings.seed = 99;
  EXPECT_EQ(one->hash(), expand(parsed(kTwoCells), {})->hash());
  EXPECT_NE(one->hash(), expand(parsed(kTwoCells), other)->hash());
  EXPECT_NE(one->hash(), expand(parsed(kTwoCells), with_axis("threads", {"2"}))->hash());
}

TEST(SplitList, BackslashKeepsAComma) {
  EXPECT_THAT(*split_list("a,b\\,c,d", "--set"), ElementsAre("a", "b,c", "d"));
  EXPECT_FALSE(split_list("a,,b", "--set").ok());
  EXPECT_FALSE(split_list("", "--set").ok());
}

TEST(ParseSet, WantsAnAxisAndAList) {
  AxisLists axes;
  EXPECT_TRUE(parse_set("n=1,4,inf", axes).ok());
  EXPECT_THAT(axes["n"], ElementsAre("1", "4", "inf"));
  EXPECT_FALSE(parse_set("n", axes).ok());
  EXPECT_FALSE(parse_set("=4", axes).ok());
}

TEST(Axes, NoNameHasTwoOwners) { EXPECT_TRUE(check_axis_owners().ok()); }

// The quick matrix must show the harness's cost and the native engine on every workload, at one and two threads.
TEST(QuickMatrix, CoversEveryWorkloadOnEveryEngineThatCanRunIt) {
  const auto file = parse_matrix(quick_matrix_toml(), "quick.toml");
  ASSERT_TRUE(file.ok()) << error_of(file);
  const auto matrix = expand(*file, {});
  ASSERT_TRUE(matrix.ok()) << error_of(matrix);
  EXPECT_GE(matrix->repetitions, 5u);
  EXPECT_GE(matrix->seconds, 0.15);
  std::set<std::string> seen;
  for (const Cell& cell : matrix->cells) {
    seen.insert(cell.engine.type->name() + " " + cell.workload->name() + " " + std::to_string(cell.threads) + " " +
                name(cell.crossing));
    seen.insert(cell.engine.type->name() + "@" + cell.engine.label + " " + cell.workload->name());
  }
  for (const WorkloadType* workload : workload_types()) {
    const auto params = resolve_params(*workload, {});
    ASSERT_TRUE(params.ok());
    for (const char* engine : {"null", "native", "native-relaxed"}) {
      const auto spec = parse_engine(engine);
      ASSERT_TRUE(spec.ok());
      if (!workload->unsuited(spec->type->traits(spec->options)).empty()) continue;
      const bool roles = workload->fixed_threads(*params) != 0;
      for (const int threads : {1, 2}) {
        if (roles && threads == 1) continue;
        const std::string wanted = std::string(engine) + " " + workload->name() + " " + std::to_string(threads) + " none";
        EXPECT_TRUE(seen.contains(wanted)) << wanted;
      }
    }
  }
  for (const char* engine : {"posix", "null", "native", "native-relaxed"}) {
    for (const char* workload : {"append", "overwrite", "create_unlink"}) {
      EXPECT_TRUE(seen.contains(std::string(engine) + " " + workload + " 1 syscall")) << engine << " " << workload;
    }
  }
  EXPECT_TRUE(seen.contains("native@a overwrite") && seen.contains("native@b overwrite"));
}

}  // namespace
}  // namespace daxlab::harness
