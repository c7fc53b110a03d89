// The built program, as a person meets it: exit codes, one line for what is wrong, and what is printed where.
#include "harness/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/api/registry.h"
#include "engines/pmem/label.h"
#include "engines/pmem/region.h"
#include "harness/test_support.h"
#include "workloads/workload.h"

namespace daxlab::harness {
namespace {

using testing::HasSubstr;
using testing::Not;

/// One line on stderr that holds `what`, nothing on stdout, exit code 2.
void expect_refused(const std::vector<std::string>& words, const std::string& what) {
  const Output output = run_daxlab(words);
  EXPECT_EQ(output.ending.kind, Ending::Kind::kExit);
  EXPECT_EQ(output.ending.code, kExitUsage) << output.err;
  EXPECT_EQ(output.error_lines(), 1u) << output.err;
  EXPECT_THAT(output.err, HasSubstr(what));
  EXPECT_EQ(output.out, "");
}

TEST(Cli, UnknownThingsAreNamed) {
  expect_refused({"run", "--dry-run", "--engine", "nativ"}, "unknown engine 'nativ'");
  expect_refused({"run", "--dry-run", "--workload", "apend"}, "'apend'");
  expect_refused({"run", "--dry-run", "--set", "blok=1"}, "an axis 'blok'");
  expect_refused({"run", "--dry-run", "--media", "dram:1GiB?profile=optain"}, "optain");
  expect_refused({"run", "--dry-run", "--probe", "nosuch"}, "unknown probe 'nosuch'");
  expect_refused({"run", "--dry-run", "--engine", "posix:paht=/tmp"}, "no option 'paht'");
  expect_refused({"list", "engine"}, "cannot list 'engine'");
}

TEST(Cli, WrongValuesAreNamedWithTheirRange) {
  expect_refused({"run", "--repetitions", "0"}, "--repetitions '0' is not a whole number, 1 to 1000");
  expect_refused({"run", "--seconds", "fast"}, "--seconds 'fast' is not a number, 0.001 to 86400");
  expect_refused({"run", "--seconds", "1", "--ops", "5"}, "not both");
  expect_refused({"run", "--dry-run", "--set", "block_bytes=3"}, "block_bytes");
  expect_refused({"run", "--dry-run", "--media", "floppy:1MiB"}, "floppy");
  expect_refused({"run", "--dry-run", "--threads", "many"}, "threads 'many'");
  expect_refused({"run", "--resume"}, "--resume needs --out");
}

TEST(Cli, UnknownCommandsAndOptionsAreNamed) {
  expect_refused({"rnu"}, "rnu");
  expect_refused({"run", "--fast"}, "--fast");
  expect_refused({"report"}, "DIR");
}

TEST(Cli, MatrixFileErrorsSayWhere) {
  const Folder folder;
  const std::string path = folder / "m.toml";
  write_text(path, "engines = [\"null\"]\n[[cells]]\nworkload = append\n");
  expect_refused({"run", "--dry-run", path}, path + ":3:12: ");
  expect_refused({"run", "--dry-run", folder / "none.toml"}, "cannot read");
}

TEST(Cli, MediumThatCannotServeIsRefused) {
  const Folder folder;
  const std::string image = folder / "image";
  expect_refused({"run", "--any-build", "--no-report", "--no-calibration", "--out", folder / "r1", "--probe", "none", "--engine",
                  "native", "--workload", "append", "--media", "dram:64KiB"},
                 "too small");
  expect_refused({"run", "--any-build", "--no-report", "--no-calibration", "--out", folder / "r3", "--probe", "none", "--engine",
                  "native", "--workload", "append", "--threads", "2", "--set", "file_size=32MiB", "--media", "dram:16MiB"},
                 "its files take 64MiB");
  expect_refused({"run", "--any-build", "--no-report", "--no-calibration", "--out", folder / "r2", "--probe", "none", "--engine",
                  "native", "--workload", "append", "--media", "file:/proc/nowhere/image:64MiB"},
                 "/proc/nowhere/image");
  expect_refused({"mkfs", "--engine", "native", "--media", "file:" + image + ":64KiB"}, "too small");
  expect_refused({"mkfs", "--engine", "native", "--media", "dram:64MiB"}, "gone when this command ends");
  expect_refused({"mkfs", "--engine", "null", "--media", "file:" + image + ":64MiB"}, "no medium to format");
}

TEST(Cli, MkfsMakesWhatCheckFindsClean) {
  const Folder folder;
  const std::string media = "file:" + (folder / "image");
  const Output made = run_daxlab({"mkfs", "--engine", "native", "--media", media + ":64MiB"});
  ASSERT_EQ(made.ending.code, kExitDone) << made.err;
  const Output checked = run_daxlab({"check", "--media", media});
  EXPECT_EQ(checked.ending.code, kExitDone) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("clean"));
}

TEST(Cli, MediumOfAnotherEngineOrVersionIsRefused) {
  const Folder folder;
  const std::string path = folder / "image";
  write_text(path, std::string(1 << 20, '\0'));
  expect_refused({"check", "--media", "file:" + path}, path);
  const auto spec = pmem::MediaSpec::parse("file:" + path + ":64MiB");
  ASSERT_TRUE(spec.ok());
  for (const auto& [engine, version] : {std::pair{"stranger", 1u}, std::pair{"native", 999u}}) {
    auto region = pmem::Region::open(*spec);
    ASSERT_TRUE(region.ok()) << region.error().message();
    pmem::Label label;
    label.engine = engine;
    label.format_version = version;
    label.size_bytes = (*region)->size_bytes();
    label.uuid = "00000000-0000-4000-8000-000000000000";
    pmem::write_label(**region, label);
    region->reset();
    expect_refused({"check", "--media", "file:" + path}, engine);
  }
}

TEST(Cli, DryRunPrintsTheCells) {
  const Output output = run_daxlab({"run", "--dry-run", "--engine", "null", "--workload", "append", "--threads", "1,2"});
  EXPECT_EQ(output.ending.code, kExitDone) << output.err;
  EXPECT_THAT(output.out, HasSubstr("append null threads=2"));
}

TEST(Cli, BuildThatIsNoReleaseDoesNotMeasureUnlessTold) {
  const Folder folder;
  if (std::string(DAXLAB_PRESET) == "release") GTEST_SKIP() << "this is the release build";
  expect_refused({"run", "--engine", "null", "--workload", "append", "--out", folder / "r"}, "--any-build");
}

TEST(Cli, EveryCommandHasHelpWithTwoExamples) {
  for (const char* command : {"run", "trace", "report", "compare", "list", "mkfs", "check", "micro"}) {
    const Output output = run_daxlab({command, "--help"});
    EXPECT_EQ(output.ending.code, kExitDone) << command;
    EXPECT_THAT(output.out, HasSubstr("Examples:")) << command;
    const size_t at = output.out.find("Examples:");
    const std::string examples = at == std::string::npos ? "" : output.out.substr(at);
    const std::string line = std::string("\n  daxlab ") + command;
    const size_t first = examples.find(line);
    ASSERT_NE(first, std::string::npos) << command;
    EXPECT_NE(examples.find(line, first + 1), std::string::npos) << command;
  }
}

TEST(Cli, ListsAreCompleteAndReadable) {
  const Output engines = run_daxlab({"list", "engines", "--json"});
  const auto json = Json::parse(engines.out);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->elements().size(), engine_types().size());
  const Output workloads = run_daxlab({"list", "workloads"});
  for (const WorkloadType* type : workload_types()) EXPECT_THAT(workloads.out, HasSubstr(type->name()));
  EXPECT_EQ(run_daxlab({"list", "probes"}).ending.code, kExitDone);
}

TEST(Cli, ResultsFolderThatIsTakenIsRefused) {
  const Folder folder;
  const std::vector<std::string> words{"run",           "--any-build", "--no-report", "--no-calibration", "--probe", "none",
                                       "--engine",      "null",        "--workload",  "append",           "--ops",   "1000",
                                       "--repetitions", "1",           "--out",       folder / "r"};
  EXPECT_EQ(run_daxlab(words).ending.code, kExitDone);
  expect_refused(words, "add --resume");
}

}  // namespace
}  // namespace daxlab::harness
