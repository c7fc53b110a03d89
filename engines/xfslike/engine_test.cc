// The core as one engine: what the suites over all engines cannot ask, because it is about this design.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/api/testing.h"
#include "engines/xfslike/engine.h"
#include "engines/xfslike/testing_core.h"

namespace daxlab::xfslike {
namespace {

using tests::bytes_of;
using tests::content;
using tests::difference;
using tests::must;
using tests::outcome;

TEST(Core, WhatWasSyncedIsThereAfterACrash) {
  TestCore core;
  core.write_file("a", content(1, 100'000));
  must(core->sync());
  core.crash_and_mount();
  EXPECT_EQ(difference(core.read_file("a"), content(1, 100'000)), "");
}

TEST(Core, WhatWasNotForcedIsGoneAsAWhole) {
  TestCore core;
  must(core->sync());
  core.write_file("a", bytes_of("x"));
  core.crash_and_mount();
  EXPECT_EQ(outcome(core.root()->lookup("a")), Errc::kNotFound);
}

TEST(Core, FsyncOfOneFileKeepsItsNameAndEarlierChanges) {
  TestCore core;
  core.write_file("first", bytes_of("1"));
  {
    const auto file = core.create("second");
    must(file->write(0, bytes_of("2")));
    must(file->fsync());
  }
  core.write_file("third", bytes_of("3"));
  core.crash_and_mount();
  EXPECT_EQ(core.read_file("first").size(), 1u);
  EXPECT_EQ(core.read_file("second").size(), 1u);
  EXPECT_EQ(outcome(core.root()->lookup("third")), Errc::kNotFound);
}

TEST(Core, DurabilityOpNeedsNoSync) {
  TestCore core("durability=op");
  core.write_file("a", content(2, 9000));
  core.crash_and_mount();
  EXPECT_EQ(difference(core.read_file("a"), content(2, 9000)), "");
}

TEST(Core, ABatchIsForcedWithItsLastOperation) {
  TestCore core("durability=batch:4");
  for (int i = 0; i < 8; ++i) (*core).forget(must(core.root()->mkdir("d" + std::to_string(i), 0755, {})).ino, 1);
  for (int i = 8; i < 11; ++i) (*core).forget(must(core.root()->mkdir("d" + std::to_string(i), 0755, {})).ino, 1);
  core.crash_and_mount();
  EXPECT_TRUE(core.root()->lookup("d7").ok());
  EXPECT_EQ(outcome(core.root()->lookup("d8")), Errc::kNotFound);
}

TEST(Core, AnOrphanIsFreedByTheNextMount) {
  TestCore core;
  core.write_file("warm", content(1, 64));
  must(core.root()->unlink("warm"));
  must(core->sync());
  const uint64_t before = must(core->statfs()).blocks_free;
  auto file = core.create("a");
  must(file->write(0, content(3, kMiB)));
  must(file->fsync());
  must(core.root()->unlink("a"));
  must(core->sync());
  core.crash_with(std::move(file));
  EXPECT_EQ(must(core->statfs()).blocks_free, before);
  EXPECT_EQ(core.findings(), "");
}

TEST(Core, ATruncationInPartsEndsWhereItShould) {
  TestCore core;
  {
    // One block in two: more extents than one transaction unmaps.
    const auto file = core.create("a");
    for (uint64_t i = 0; i < 100; ++i) must(file->write(2 * i * kBlockBytes, content(i, kBlockBytes)));
    must(file->setattr({.size_bytes = 10 * kBlockBytes}));
    must(file->fsync());
  }
  core.crash_and_mount();
  const auto left = core.read_file("a");
  ASSERT_EQ(left.size(), 10 * kBlockBytes);
  EXPECT_EQ(difference(std::span(left).subspan(8 * kBlockBytes, kBlockBytes), content(4, kBlockBytes)), "");
  EXPECT_EQ(core.root()->stat("a").value().allocated_bytes, 5 * kBlockBytes);
}

// What a transaction logs of a block is all that changed since it was last written back, by whomever.
TEST(Core, ManyCreatesLogNoMoreThanTheyReserve) {
  TestCore core("log_size=4MiB", 64 * kMiB);
  const auto root = core.root();
  for (int i = 0; i < 3000; ++i) core->forget(must(root->create("name-" + std::to_string(i), 0644, {})).attributes.ino, 1);
  for (int i = 0; i < 3000; ++i) must(root->unlink("name-" + std::to_string(i)));
}

TEST(Core, AGrowingFileShowsZeroesWhereACutWas) {
  TestCore core;
  const auto file = core.create("a");
  must(file->write(0, content(5, 3 * kBlockBytes)));
  must(file->setattr({.size_bytes = 100}));
  must(file->setattr({.size_bytes = 2 * kBlockBytes}));
  const auto read = tests::Mounted::read_all(*file);
  EXPECT_EQ(difference(std::span(read).subspan(100), tests::Bytes(2 * kBlockBytes - 100)), "");
}

TEST(Core, EveryVariantKeepsAFileAcrossMounts) {
  for (const char* options : {"format=v3", "lsunit=32KiB", "log_run=16KiB", "dirblock=64KiB", "ags=1", "log_size=512KiB", "relog=off",
                              "background=threads", "background=threads:push=inline", "quota=on", "iclogs=2:iclog_size=16KiB"}) {
    SCOPED_TRACE(options);
    TestCore core(options);
    for (int i = 0; i < 50; ++i) core.write_file("f" + std::to_string(i), content(static_cast<uint64_t>(i), 5000));
    core.remount();
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(difference(core.read_file("f" + std::to_string(i)), content(static_cast<uint64_t>(i), 5000)), "");
    }
    EXPECT_EQ(core.findings(), "");
  }
}

}  // namespace
}  // namespace daxlab::xfslike
