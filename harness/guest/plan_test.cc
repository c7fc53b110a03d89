// File systems by name, and what a plan hands to the launcher.
#include "harness/guest/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/guest/file_systems.h"

namespace daxlab::harness {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kStandard = std::string(DAXLAB_SOURCE_DIR) + "/harness/guest/standard.toml";

Arguments arguments(std::initializer_list<std::pair<std::string, std::string>> given) {
  Arguments all;
  for (const auto& [name, value] : given) all.add(name, value);
  return all;
}

TEST(FileSystems, EveryOptionHasADefaultAndOnlyOthersAreShown) {
  const auto plain = parse_file_system("xfs-dax");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->to_string(), "xfs-dax");
  EXPECT_EQ(plain->options.at("lsunit"), "4KiB");
  const auto changed = parse_file_system("xfs-dax:wsync=on:dirblock=64KiB:reflink=on");
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(changed->to_string(), "xfs-dax:dirblock=64KiB:wsync=on");
  EXPECT_EQ(changed->mount_options(), "dax=always,wsync");
  EXPECT_THAT(changed->mkfs(1), HasSubstr("-n size=65536"));
}

TEST(FileSystems, WhatIsMistypedIsNamed) {
  for (const auto& [text, offender] : {std::pair<std::string, std::string>{"btrfs", "btrfs"},
                                       {"ext4-dax:wsync=on", "wsync"},
                                       {"xfs-dax:lsunit=3", "3"},
                                       {"ext4-dax:journal", "journal"},
                                       {"xfs-dax:", ""}}) {
    const auto parsed = parse_file_system(text);
    if (text == "xfs-dax:") {
      EXPECT_TRUE(parsed.ok());  // an empty list of options
      continue;
    }
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.code(), Errc::kUsage);
    EXPECT_THAT(parsed.error().message(), HasSubstr(offender));
  }
}

TEST(FileSystems, IdentifiersComeFromTheSeedAndTheLogStripeUnitIsAlwaysSaid) {
  const auto ext4 = parse_file_system("ext4-dax:journal=none");
  ASSERT_TRUE(ext4.ok());
  EXPECT_EQ(ext4->mkfs(7), ext4->mkfs(7));
  EXPECT_NE(ext4->mkfs(7), ext4->mkfs(8));
  EXPECT_THAT(ext4->mkfs(1), HasSubstr("^has_journal"));
  EXPECT_THAT(parse_file_system("xfs-dax")->mkfs(1), HasSubstr("-l su=4096"));
  EXPECT_THAT(parse_file_system("xfs-dax:lsunit=32KiB")->mkfs(1), HasSubstr("-l su=32768"));
  EXPECT_THAT(parse_file_system("xfs-dax:lsunit=512")->mkfs(1), Not(HasSubstr("su=")));
}

TEST(Plan, TheStandardJobHasBothFileSystemsAndEveryEngineOnPersistentMemory) {
  const auto plan = plan_from(kStandard, {});
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  std::vector<std::string> names;
  for (const GuestJob& job : plan->jobs) names.push_back(job.name);
  EXPECT_THAT(names, ::testing::IsSupersetOf({"ext4-dax", "xfs-dax", "null"}));
  for (const EngineType* type : engine_types()) {
    if (!type->traits(parse_engine(type->name())->options).needs_region) continue;
    EXPECT_THAT(names, Contains(type->name()));
  }
  EXPECT_THAT(names, Not(Contains("posix")));
  EXPECT_GE(plan->ops, 500u);
  for (const GuestJob& job : plan->jobs) {
    for (const Cell& cell : job.cells) EXPECT_EQ(cell.threads, 1u);
  }
}

TEST(Plan, FileSystemsAloneLeaveEnginesOutAndTheOtherWayRound) {
  const auto file_systems = plan_from(kStandard, arguments({{"--fs", "xfs-dax,xfs-dax:wsync=on"}, {"--workload", "rename"}}));
  ASSERT_TRUE(file_systems.ok());
  ASSERT_EQ(file_systems->jobs.size(), 2u);
  EXPECT_EQ(file_systems->jobs[1].name, "xfs-dax:wsync=on");
  EXPECT_EQ(file_systems->jobs[0].cells.size(), 1u);
  const auto engines = plan_from(kStandard, arguments({{"--engine", "null"}}));
  ASSERT_TRUE(engines.ok());
  ASSERT_EQ(engines->jobs.size(), 1u);
  EXPECT_FALSE(engines->jobs[0].file_system.has_value());
}

TEST(Plan, EnginesStandOnADeviceOrOnAFileOfADaxFileSystem) {
  const auto device = plan_from(kStandard, arguments({{"--engine", "null"}, {"--workload", "stat"}}));
  const auto file = plan_from(kStandard, arguments({{"--engine", "null"}, {"--workload", "stat"}, {"--on", "ext4-dax"}}));
  ASSERT_TRUE(device.ok() && file.ok());
  const Json on_device = device->to_json(Json::object())["jobs"].elements()[0];
  const Json on_file = file->to_json(Json::object())["jobs"].elements()[0];
  EXPECT_EQ(on_device["medium"].text(), "devdax");
  EXPECT_EQ(on_file["medium"].text(), "fsdax");
  EXPECT_EQ(on_file["type"].text(), "ext4");
  EXPECT_THAT(on_file["cells"].elements()[0]["task"]["media"].text(), HasSubstr("file:/mnt/p/"));
  EXPECT_FALSE(plan_from(kStandard, arguments({{"--on", "tmpfs"}})).ok());
}

TEST(Plan, TheSameNameTwiceIsWrongInput) {
  const auto twice = plan_from(kStandard, arguments({{"--fs", "xfs-dax,xfs-dax:reflink=on"}}));
  ASSERT_FALSE(twice.ok());
  EXPECT_THAT(twice.error().message(), HasSubstr("twice"));
}

TEST(Plan, EveryRecordHasAnIdOfItsOwnAndOptionsChangeIt) {
  const auto plan = plan_from(kStandard, arguments({{"--fs", "ext4-dax,xfs-dax,xfs-dax:wsync=on"}, {"--engine", "null"}}));
  ASSERT_TRUE(plan.ok());
  const Json json = plan->to_json(Json::object());
  std::set<std::string> ids;
  size_t cells = 0;
  for (const Json& job : json["jobs"].elements()) {
    for (const Json& cell : job["cells"].elements()) {
      ++cells;
      ids.insert(cell["record"]["cell"].text());
      EXPECT_EQ(cell["record"]["kind"].text(), "exact");
      EXPECT_EQ(cell["record"]["media"]["class"].text(), "guest");
      EXPECT_EQ(cell["task"]["dax"].boolean(), job["name"].text().find("-dax") != std::string::npos);
    }
  }
  EXPECT_EQ(ids.size(), cells);
}

TEST(Plan, RepetitionsDifferInSeedAndNumberAlone) {
  const auto plan =
      plan_from(kStandard, arguments({{"--engine", "null"}, {"--workload", "stat"}, {"--repetitions", "2"}, {"--seed", "5"}}));
  ASSERT_TRUE(plan.ok());
  const Json json = plan->to_json(Json::object());
  ASSERT_EQ(json["jobs"].elements().size(), 2u);
  const Json& first = json["jobs"].elements()[0]["cells"].elements()[0]["record"];
  const Json& second = json["jobs"].elements()[1]["cells"].elements()[0]["record"];
  EXPECT_EQ(first["cell"].text(), second["cell"].text());
  EXPECT_EQ(first["seed"].u64() + 1, second["seed"].u64());
  EXPECT_EQ(second["repetition"].u64(), 1u);
}

TEST(Plan, OnlyStepsThatChangeATimestampAloneWaitForTheClock) {
  const auto plan = plan_from(kStandard, arguments({{"--fs", "ext4-dax"}}));
  ASSERT_TRUE(plan.ok());
  const Json json = plan->to_json(Json::object());
  for (const Json& cell : json["jobs"].elements()[0]["cells"].elements()) {
    const Json& record = cell["record"];
    const bool only_timestamps = record["workload"].text() == "fsync_every" && record["params"]["op"].text() == "overwrite";
    EXPECT_EQ(cell["task"]["tick"].boolean(), only_timestamps);
  }
}

}  // namespace
}  // namespace daxlab::harness
