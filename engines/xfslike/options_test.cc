#include "engines/xfslike/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/base/units.h"

namespace daxlab::xfslike {
namespace {

using ::testing::HasSubstr;

Options with(const OptionChoices& changes, const OptionChoices& preset = {}) {
  Options options;
  for (const OptionSpec& spec : option_specs(preset)) options.set(spec.name, spec.default_value);
  for (const auto& [name, value] : changes) options.set(name, value);
  return options;
}

TEST(Options, ThePresetChoosesDefaults) {
  const CoreOptions core = parse_options(with({}, {{"format", "v3"}, {"meta", "overlay"}})).value();
  EXPECT_EQ(core.format, LogFormat::kV3);
  EXPECT_EQ(core.meta, MetaMode::kOverlay);
  EXPECT_EQ(core.durability, Durability::kFsync);
  EXPECT_EQ(core.log, "buffered");
  EXPECT_TRUE(core.journalled());
}

TEST(Options, NoThreadsMeansNoWorkers) {
  const CoreOptions core = parse_options(with({{"background", "inline"}})).value();
  EXPECT_TRUE(core.push_inline);
  EXPECT_TRUE(core.completion_inline);
  const CoreOptions threads = parse_options(with({{"push", "inline"}})).value();
  EXPECT_TRUE(threads.push_inline);
  EXPECT_FALSE(threads.completion_inline);
  EXPECT_FALSE(threads.background_inline);
}

TEST(Options, ABatchHasItsNumber) {
  const CoreOptions core = parse_options(with({{"durability", "batch:16"}})).value();
  EXPECT_EQ(core.durability, Durability::kBatch);
  EXPECT_EQ(core.batch_operations, 16u);
}

TEST(Options, WhatTheMediumIsMadeOfComesFromItsLabel) {
  const Options made = with({{"dirblock", "64KiB"}, {"format", "v3"}, {"durability", "batch:4"}});
  const CoreOptions core = parse_options(with({{"durability", "op"}}), made.to_string()).value();
  EXPECT_EQ(core.dirblock_bytes, 64 * kKiB);
  EXPECT_EQ(core.format, LogFormat::kV3);
  EXPECT_EQ(core.durability, Durability::kOp);
  EXPECT_EQ(parse_options(with({}), "dirblock=5KiB").code(), Errc::kCorrupt);
}

TEST(Options, NonsenseIsRefused) {
  EXPECT_THAT(parse_options(with({{"iclog_size", "24KiB"}})).error().message(), HasSubstr("power of two"));
  EXPECT_THAT(parse_options(with({{"iclog_size", "16KiB"}, {"lsunit", "32KiB"}})).error().message(), HasSubstr("lsunit"));
  EXPECT_THAT(parse_options(with({{"log_size", "64KiB"}})).error().message(), HasSubstr("log_size"));
  EXPECT_THAT(parse_options(with({{"meta_run", "4KiB"}, {"dirblock", "16KiB"}})).error().message(), HasSubstr("16KiB"));
}

TEST(Options, TheLogsSizeFollowsTheMedium) {
  CoreOptions core;
  EXPECT_EQ(log_bytes_for(core, 6 * kMiB), kMiB);
  EXPECT_EQ(log_bytes_for(core, 32 * kMiB), 2 * kMiB);
  EXPECT_EQ(log_bytes_for(core, 512 * kMiB), 32 * kMiB);
  EXPECT_EQ(log_bytes_for(core, 100 * kGiB), 64 * kMiB);
  core.dirblock_bytes = 64 * kKiB;
  EXPECT_EQ(log_bytes_for(core, 32 * kMiB), 4 * kMiB) << "a transaction of large directory blocks fits";
  core.log_bytes = 300 * kKiB;
  EXPECT_EQ(log_bytes_for(core, 100 * kGiB), 300 * kKiB);
}

}  // namespace
}  // namespace daxlab::xfslike
