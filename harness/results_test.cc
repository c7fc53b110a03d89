#include "harness/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/test_support.h"

namespace daxlab::harness {
namespace {

using testing::HasSubstr;

Json record(const std::string& cell, uint32_t repetition, const char* status = "ok", double ns = 10) {
  Json json = Json::object();
  json.set("schema", kSchemaVersion).set("cell", cell).set("kind", "plain").set("repetition", repetition);
  return json.set("status", status).set("ns_per_op", ns);
}

Json environment(const std::string& hash, uint64_t seed) {
  Json json = Json::object();
  return json.set("matrix_hash", hash).set("seed", seed);
}

ResultsFolder::Options options(const Folder& folder, bool resume, const std::string& hash = "abc", uint64_t seed = 1) {
  return {folder / "run", resume, hash, seed};
}

/// A run of two finished repetitions.
void make_run(const Folder& folder) {
  auto run = ResultsFolder::open(options(folder, false));
  ASSERT_TRUE(run.ok()) << run.error().message();
  ASSERT_TRUE(run->write_environment(environment("abc", 1)).ok());
  ASSERT_TRUE(run->append(record("c1", 0, "ok", 10)).ok());
  ASSERT_TRUE(run->append(record("c1", 1, "ok", 30)).ok());
}

std::string error_of(const Result<ResultsFolder>& result) { return result.ok() ? "" : result.error().message(); }

TEST(ResultsFolder, ResumeFindsWhatIsFinished) {
  const Folder folder;
  make_run(folder);
  const auto run = ResultsFolder::open(options(folder, true));
  ASSERT_TRUE(run.ok()) << error_of(run);
  EXPECT_EQ(run->finished().size(), 2u);
  EXPECT_TRUE(run->finished().contains({"c1", Kind::kPlain, 1}));
  EXPECT_EQ(median(run->plain_ns().at("c1")), 20);
  EXPECT_EQ(run->failed(), 0u);
}

TEST(ResultsFolder, TornLastLineIsCutOffAndTheNextRecordBeginsALine) {
  const Folder folder;
  make_run(folder);
  const std::string lines = folder / "run/results.jsonl";
  write_text(lines, read_text(lines) + R"({"schema":1,"cell":"c2","ki)");
  {
    auto run = ResultsFolder::open(options(folder, true));
    ASSERT_TRUE(run.ok()) << error_of(run);
    EXPECT_EQ(run->finished().size(), 2u);
    ASSERT_TRUE(run->append(record("c2", 0)).ok());
  }
  EXPECT_EQ(read_records(folder / "run").size(), 3u);
}

TEST(ResultsFolder, WrongLineInTheMiddleIsAnErrorThatNamesIt) {
  const Folder folder;
  make_run(folder);
  const std::string lines = folder / "run/results.jsonl";
  write_text(lines, "{]\n" + read_text(lines));
  EXPECT_THAT(error_of(ResultsFolder::open(options(folder, true))), HasSubstr("line 1 is not a record"));
}

TEST(ResultsFolder, FinishedRunIsNotOverwritten) {
  const Folder folder;
  make_run(folder);
  const auto run = ResultsFolder::open(options(folder, false));
  EXPECT_THAT(error_of(run), HasSubstr("holds results already; add --resume"));
  EXPECT_EQ(run.code(), Errc::kUsage);
}

TEST(ResultsFolder, OtherMatrixOrSeedIsRefused) {
  const Folder folder;
  make_run(folder);
  EXPECT_THAT(error_of(ResultsFolder::open(options(folder, true, "abd"))), HasSubstr("another matrix or seed"));
  EXPECT_THAT(error_of(ResultsFolder::open(options(folder, true, "abc", 2))), HasSubstr("another matrix or seed"));
}

TEST(ResultsFolder, ResumeOfNothingBegins) {
  const Folder folder;
  const auto run = ResultsFolder::open(options(folder, true));
  ASSERT_TRUE(run.ok()) << error_of(run);
  EXPECT_TRUE(run->fresh());
}

TEST(ResultsFolder, TwoWritersAreRefused) {
  const Folder folder;
  const auto first = ResultsFolder::open(options(folder, false));
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(error_of(ResultsFolder::open(options(folder, true))), HasSubstr("another run writes here"));
}

TEST(ResultsFolder, FailedRepetitionsAreCounted) {
  const Folder folder;
  make_run(folder);
  auto run = ResultsFolder::open(options(folder, true));
  ASSERT_TRUE(run.ok());
  ASSERT_TRUE(run->append(record("c3", 0, "failed")).ok());
  EXPECT_EQ(run->failed(), 1u);
  EXPECT_FALSE(run->plain_ns().contains("c3"));
}

TEST(Median, OfEvenAndOdd) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
}

TEST(Json, KeepsOrderNumbersAndStrangeText) {
  const std::string text = R"({"b":18446744073709551615,"a":-3,"r":0.5,"t":"\u00e4\n\"","n":null,"l":[true,{}]})";
  const auto json = Json::parse(text);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->members()[0].first, "b");
  EXPECT_EQ((*json)["b"].u64(), UINT64_MAX);
  EXPECT_EQ((*json)["a"].real(), -3.0);
  EXPECT_EQ(Json::parse(json->dump())->dump(), json->dump());
  EXPECT_TRUE(Json::parse(Json(std::string("\xff\xfe")).dump()).ok());  // no UTF-8 becomes readable
}

}  // namespace
}  // namespace daxlab::harness
