// Sessions against targets of known counts. Where the kernel refuses a probe, its test is skipped with the reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probes/forked_target.h"
#include "probes/session_for_tests.h"

namespace daxlab::probes {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kWarmUp = 1, kMeasured = 2, kPaused = 3, kOutside = 0;

void fire_faults(uint64_t times, bool is_write, int error = -1) {
  for (uint64_t i = 0; i < times; ++i) {
    DAXLAB_TRACE2(fault_begin, i, is_write ? 1 : 0);
    DAXLAB_TRACE2(fault_end, i, error);
  }
}

void fire_writes(uint64_t times, uint64_t size_bytes) {
  for (uint64_t i = 0; i < times; ++i) {
    DAXLAB_TRACE2(write_begin, i, size_bytes);
    DAXLAB_TRACE2(write_end, i, size_bytes);
  }
}

TEST(Session, CountsEqualThePrimesFired) {
  auto session = open_session({"user_fault", "user_write"});
  ForkedTarget target([](uint64_t*) {
    say_phase(kMeasured);
    fire_faults(1009, false);
    fire_faults(4099, true);
    fire_faults(13, true, 5);
    fire_writes(2003, 4096);
    say_phase(kOutside);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto reports = session->end();
  const auto& faults = find_report(reports, "user_fault");
  SKIP_IF_REFUSED(faults);
  EXPECT_EQ(faults.histograms.at("read").count, 1009u);
  EXPECT_EQ(faults.histograms.at("write").count, 4099u + 13u);
  EXPECT_EQ(faults.counts.at("failed"), 13u);
  EXPECT_EQ(faults.lost, 0u);
  EXPECT_EQ(faults.attached_by, "usdt:fault_begin,fault_end");
  EXPECT_EQ(faults.fallback, "");
  const auto& writes = find_report(reports, "user_write");
  EXPECT_EQ(writes.histograms.at("write").count, 2003u);
  EXPECT_EQ(writes.counts.at("bytes"), 2003u * 4096u);
  EXPECT_GT(writes.histograms.at("write").sum, 0u);
  EXPECT_GE(writes.histograms.at("write").max, writes.histograms.at("write").sum / 2003u);
}

TEST(Session, AnFsyncWithinAnFsyncIsOneAndCommitsCountTheirBytes) {
  auto session = open_session({"fsync", "commit"});
  ForkedTarget target([](uint64_t*) {
    say_phase(kMeasured);
    for (int i = 0; i < 59; ++i) {
      DAXLAB_TRACE1(fsync_begin, 1);
      if (i % 2 == 0) DAXLAB_TRACE1(fsync_begin, 1);
      DAXLAB_TRACE1(commit_end, 192);
      if (i % 2 == 0) DAXLAB_TRACE1(fsync_end, 1);
      DAXLAB_TRACE1(fsync_end, 1);
    }
    say_phase(kOutside);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto reports = session->end();
  const auto& fsyncs = find_report(reports, "fsync");
  SKIP_IF_REFUSED(fsyncs);
  EXPECT_EQ(fsyncs.histograms.at("fsync").count, 59u);
  const auto& commits = find_report(reports, "commit");
  EXPECT_EQ(commits.counts.at("commits"), 59u);
  EXPECT_EQ(commits.counts.at("bytes"), 59u * 192u);
}

TEST(Session, OnlyTheMeasuredPhaseIsReported) {
  auto session = open_session({"user_fault"});
  ForkedTarget target([](uint64_t*) {
    fire_faults(11, false);
    say_phase(kWarmUp);
    fire_faults(101, false);
    say_phase(kMeasured);
    fire_faults(307, false);
    say_phase(kPaused);
    fire_faults(53, false);
    say_phase(kMeasured);
    fire_faults(401, false);
    say_phase(kOutside);
    fire_faults(17, false);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto reports = session->end();
  SKIP_IF_REFUSED(reports.at(0));
  EXPECT_EQ(reports.at(0).histograms.at("read").count, 307u + 401u);
}

TEST(Session, AnotherProcessOfTheSameBinaryIsNotCounted) {
  auto session = open_session({"user_fault"});
  const auto body = [](uint64_t*) {
    say_phase(kMeasured);
    fire_faults(211, false);
  };
  ForkedTarget target(body);
  ForkedTarget bystander(body);
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(bystander.run());
  fire_faults(19, false);
  ASSERT_TRUE(target.run());
  const auto reports = session->end();
  SKIP_IF_REFUSED(reports.at(0));
  EXPECT_EQ(reports.at(0).histograms.at("read").count, 211u);
}

TEST(Session, TheSecondTargetStartsFromZero) {
  auto session = open_session({"user_fault"});
  for (const uint64_t times : {uint64_t{503}, uint64_t{7}, uint64_t{0}}) {
    ForkedTarget target([times](uint64_t*) {
      say_phase(kMeasured);
      fire_faults(times, true);
      say_phase(kOutside);
    });
    ASSERT_TRUE(session->begin(target.pid(), {}).ok());
    ASSERT_TRUE(target.run());
    const auto reports = session->end();
    SKIP_IF_REFUSED(reports.at(0));
    EXPECT_EQ(reports.at(0).histograms.at("write").count, times);
    EXPECT_EQ(reports.at(0).histograms.at("read").count, 0u);
  }
}

TEST(Session, NothingIsCountedAfterEnd) {
  auto session = open_session({"user_fault"});
  ASSERT_TRUE(session->begin(getpid(), {}).ok());
  session->set_phase(SessionPhase::kMeasured);
  fire_faults(23, false);
  const auto first = session->end();
  SKIP_IF_REFUSED(first.at(0));
  fire_faults(29, false);
  EXPECT_EQ(session->end().at(0).histograms.at("read").count, 23u);
}

TEST(Session, ATargetWithoutPhaseMarksIsReportedAsSkipped) {
  auto session = open_session({"page_fault", "user_fault"});
  ForkedTarget target([](uint64_t*) { fire_faults(3, false); });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  for (const auto& report : session->end()) {
    EXPECT_NE(report.skipped, "") << report.name;
    EXPECT_TRUE(report.histograms.empty()) << report.name;
  }
}

TEST(Session, AnUnknownProbeIsWrongInputThatNamesWhatThereIs) {
  SessionOptions options;
  options.probes = {"user_fault", "page_falt"};
  const auto session = Session::open(options);
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.code(), Errc::kUsage);
  EXPECT_THAT(session.error().message(), HasSubstr("\"page_falt\""));
  EXPECT_THAT(session.error().message(), HasSubstr("page_fault, "));
}

TEST(Session, AProcessThatDoesNotExistIsNotFound) {
  auto session = open_session({"user_fault"});
  ForkedTarget target([](uint64_t*) { say_phase(kOutside); });
  const pid_t pid = target.pid();
  ASSERT_TRUE(session->begin(pid, {}).ok());
  ASSERT_TRUE(target.run());
  SKIP_IF_REFUSED(session->end().at(0));
  const auto begun = session->begin(pid, {});
  ASSERT_FALSE(begun.ok());
  EXPECT_EQ(begun.code(), Errc::kNotFound);
}

TEST(Session, ABinaryWithoutThePointsSkipsTheProbeAndSaysSo) {
  SessionOptions options;
  options.probes = {"user_write"};
  options.binary = "/bin/true";
  auto session = Session::open(options);
  ASSERT_TRUE(session.ok());
  const auto reports = (*session)->end();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].attached_by, "");
  EXPECT_NE(reports[0].skipped, "");
}

TEST(Costs, EveryCostNamesItsProbeAndHowItWasAttached) {
  const auto costs = measure_costs();
  if (!costs.ok()) {
    ASSERT_EQ(costs.code(), Errc::kMissingFacility);
    ASSERT_TRUE(is_refusal(costs.error().message())) << costs.error().message();
    GTEST_SKIP() << costs.error().message();
  }
  EXPECT_THAT(costs->at(0).what, HasSubstr("user_fault: "));
  EXPECT_GT(costs->at(0).ns_per_event, 0.0);
  for (const auto& cost : *costs) std::printf("%8.0f ns  %s\n", cost.ns_per_event, cost.what.c_str());
}

TEST(Catalogue, EveryProbeHasAQuestionAndAChoiceAndTheDefaultSetIsNotAll) {
  std::vector<std::string> names, on_request;
  for (const auto& probe : catalogue()) {
    names.push_back(probe.name);
    EXPECT_THAT(probe.question, HasSubstr("?")) << probe.name;
    EXPECT_FALSE(probe.attach.empty()) << probe.name;
    if (!probe.by_default) on_request.push_back(probe.name);
  }
  EXPECT_THAT(names, ::testing::ElementsAre("commit", "fsync", "futex_wait", "kernel_lock", "lock_wait", "mmap_lock", "off_cpu",
                                            "page_fault", "tlb", "user_fault", "user_write"));
  EXPECT_THAT(on_request, ::testing::ElementsAre("commit"));
}

TEST(Facilities, WhatIsMissingHasAReasonAndARemedy) {
  const auto found = facilities();
  ASSERT_FALSE(found.empty());
  for (const auto& facility : found) {
    EXPECT_NE(facility.detail, "") << facility.name;
    EXPECT_EQ(facility.available, facility.remedy.empty()) << facility.name;
  }
}

}  // namespace
}  // namespace daxlab::probes
