// Real records of the built program, held against results/schema.json.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "engines/base/counters.h"
#include "harness/cli.h"
#include "harness/schema_check.h"
#include "harness/test_support.h"

namespace daxlab::harness {
namespace {

using testing::IsEmpty;

Json schema() {
  const auto json = Json::parse(read_text(std::string(DAXLAB_SOURCE_DIR) + "/results/schema.json"));
  EXPECT_TRUE(json.ok());
  return json.ok() ? *json : Json();
}

/// Runs a small matrix and returns its records, each held against the schema.
std::vector<Json> records_of(const Folder& folder, std::vector<std::string> more) {
  std::vector<std::string> words{"run",           "--set", "crossing=none", "--any-build", "--no-report", "--no-calibration",
                                 "--repetitions", "2",     "--seconds",     "0.02",        "--out",       folder / "r"};
  words.insert(words.end(), more.begin(), more.end());
  const Output output = run_daxlab(words);
  EXPECT_EQ(output.ending.code, kExitDone) << output.err;
  const Json rules = schema();
  SchemaCheck check(rules);
  const auto records = read_records(folder / "r");
  for (const Json& record : records) EXPECT_THAT(check.check(record), IsEmpty()) << record.dump();
  return records;
}

TEST(Record, EveryKindOfEveryEngineFitsTheSchema) {
  const Folder folder;
  const auto records = records_of(folder, {"--engine", "null@x,posix,native", "--workload", "read,create_unlink", "--media",
                                           "dram:192MiB", "--threads", "1,2"});
  std::map<std::string, int> kinds;
  for (const Json& record : records) {
    ++kinds[record["kind"].text()];
    EXPECT_EQ(record["status"].text(), "ok") << record["error"].text();
    EXPECT_GT(record["ops"].u64(), 0u);
    EXPECT_NEAR(record["ops_per_s"].real() * record["seconds"].real(), record["ops"].real(), record["ops"].real() * 1e-6);
  }
  EXPECT_EQ(kinds["plain"], 24);
  EXPECT_EQ(kinds["accounted"], 12);
  EXPECT_EQ(kinds["traced"], 12);
}

TEST(Record, CountersAreAllThereByName) {
  const Folder folder;
  const auto records = records_of(folder, {"--engine", "null", "--workload", "append", "--probe", "none"});
  ASSERT_FALSE(records.empty());
  for (size_t i = 0; i < kCounterCount; ++i) {
    EXPECT_NE(records[0]["counters"].find(name(static_cast<Counter>(i))), nullptr) << name(static_cast<Counter>(i));
  }
  EXPECT_NE(records[0]["counters"].find("media_bytes"), nullptr);
  EXPECT_EQ(records[0]["verified"].text(), "not-applicable");
}

TEST(Record, PhasesOfAnAccountedTwinAddUpToItsTime) {
  const Folder folder;
  for (const Json& record : records_of(folder, {"--engine", "null,native", "--workload", "append", "--threads", "1", "--probe",
                                                "none", "--media", "dram:128MiB"})) {
    if (record["kind"].text() != "accounted") continue;
    double sum = 0;
    for (const auto& [phase, ns] : record["explain_ns"].members()) sum += ns.real();
    const double whole = record["seconds"].real() * 1e9 * record["threads"].real();
    EXPECT_NEAR(sum, whole, whole * 1e-3);
    EXPECT_GT(record["overhead"].real(), 0);
  }
}

TEST(Record, FailureHasNoNumbersAndFitsTheSchema) {
  const Folder folder;
  // A medium that holds the format but not the workload's names.
  const Output output = run_daxlab(
      {"run",      "--any-build",   "--no-report", "--no-calibration", "--probe",   "none", "--repetitions", "1",
       "--engine", "native,null",   "--workload",  "create_unlink",    "--threads", "1",    "--set",         "population=200000",
       "--set",    "crossing=none", "--media",     "dram:8MiB",        "--ops",     "1000", "--out",         folder / "r"});
  EXPECT_EQ(output.ending.code, kExitFailed);
  const Json rules = schema();
  SchemaCheck check(rules);
  int failed = 0;
  for (const Json& record : read_records(folder / "r")) {
    EXPECT_THAT(check.check(record), IsEmpty()) << record.dump();
    if (record["engine"].text() == "null") {
      EXPECT_EQ(record["status"].text(), "ok");
    } else {
      EXPECT_EQ(record["status"].text(), "failed");
      ++failed;
    }
  }
  EXPECT_EQ(failed, 2);
}

TEST(Record, RolesAreReported) {
  const Folder folder;
  for (const Json& record : records_of(folder, {"--engine", "posix", "--workload", "fault_vs_write", "--probe", "none"})) {
    EXPECT_EQ(record["roles"].members().size(), 2u);
    uint64_t ops = 0;
    for (const auto& [role, part] : record["roles"].members()) ops += part["ops"].u64();
    EXPECT_EQ(ops, record["ops"].u64());
  }
}

TEST(SchemaCheck, FindsWhatIsWrong) {
  const Json rules = schema();
  SchemaCheck check(rules);
  const Folder folder;
  auto records = records_of(folder, {"--engine", "null", "--workload", "append", "--probe", "none"});
  ASSERT_FALSE(records.empty());
  Json record = records[0];
  record.set("surprise", 1u);
  EXPECT_EQ(check.check(record).size(), 1u);
  record = records[0];
  record.set("ops", "many");
  EXPECT_FALSE(check.check(record).empty());
  record = records[0];
  record.set("status", "failed");
  EXPECT_FALSE(check.check(record).empty());
}

}  // namespace
}  // namespace daxlab::harness
