// The crash laboratory on a kernel's file system, as far as it runs without one: recordings, batches, images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "engines/api/registry.h"
#include "engines/base/units.h"
#include "engines/crash/oracle.h"
#include "engines/crash/sequences.h"
#include "harness/guest/crash_batch.h"
#include "harness/guest/crash_job.h"
#include "harness/guest/crash_plan.h"
#include "harness/guest/crash_trace.h"
#include "harness/guest/plugin/classify.h"
#include "harness/guest/plugin/trace.h"
#include "harness/results.h"

namespace daxlab::harness {
namespace {

using ::testing::HasSubstr;
using Kind = pmem::Event::Kind;

constexpr size_t kMediumBytes = 64 * kKiB;

/// What the plugin does at callbacks, on a medium that is a file.
class CrashTrace : public ::testing::Test {
 protected:
  CrashTrace() : folder_(::testing::TempDir() + "crash-trace." + std::to_string(::getpid())) {
    std::vector<std::byte> medium = foreign_bytes(kMediumBytes);
    EXPECT_TRUE(write_file_durably(folder_ + ".medium", std::string(reinterpret_cast<const char*>(medium.data()), medium.size())).ok());
    std::snprintf(trace_.prefix, sizeof(trace_.prefix), "%s", folder_.c_str());
    trace_.begin = 1 << 20;
    trace_.end = trace_.begin + kMediumBytes;
    EXPECT_TRUE(trace_map(&trace_, (folder_ + ".medium").c_str(), 0));
    medium_ = const_cast<uint8_t*>(trace_.bytes);
    const int fd = ::open((folder_ + ".medium").c_str(), O_RDWR | O_CLOEXEC);
    medium_ = static_cast<uint8_t*>(::mmap(nullptr, kMediumBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ::close(fd);
  }
  ~CrashTrace() override {
    ::munmap(const_cast<uint8_t*>(trace_.bytes), kMediumBytes);
    ::munmap(medium_, kMediumBytes);
    for (const char* suffix : {".medium", ".0.base", ".0.events", ".out"}) ::unlink((folder_ + suffix).c_str());
  }

  void store(trace_kind kind, uint64_t offset, uint64_t value) {
    std::memcpy(medium_ + offset, &value, sizeof(value));
    trace_access(&trace_, kind, trace_.begin + offset, sizeof(value));
  }

  /// Two operations: a word is stored, flushed and fenced; a word is streamed, and never fenced.
  void record() {
    ASSERT_TRUE(trace_begin(&trace_));
    trace_put(&trace_, TRACE_OP_BEGIN, 0, 0);
    store(TRACE_STORE, 4096, 111);
    trace_access(&trace_, TRACE_FLUSH, trace_.begin + 4096, 64);
    trace_put(&trace_, TRACE_FENCE, 0, 0);
    trace_put(&trace_, TRACE_OP_END, 0, 0);
    trace_put(&trace_, TRACE_OP_BEGIN, 1, 0);
    store(TRACE_STREAM, 8192, 222);
    trace_access(&trace_, TRACE_STORE, trace_.end, 8);  // beside the traced part
    trace_put(&trace_, TRACE_OP_END, 1, 0);
    ASSERT_TRUE(trace_end(&trace_));
    store(TRACE_STORE, 0, 333);  // after the end
  }

  Json images(const std::string& left_out = "") {
    Json task = Json::object();
    task.set("do", "images").set("trace", folder_ + ".0").set("out", folder_ + ".out").set("leave_out", left_out);
    const auto made = run_crash_step(task);
    EXPECT_TRUE(made.ok()) << made.error().message();
    return made.ok() ? *made : Json();
  }

  /// By point: the values that the two words had in some image.
  std::set<std::tuple<size_t, uint64_t, uint64_t>> seen() {
    std::set<std::tuple<size_t, uint64_t, uint64_t>> all;
    const auto file = read_bytes(folder_ + ".out");
    EXPECT_TRUE(file.ok());
    auto reader = BatchReader::open(*file);
    EXPECT_TRUE(reader.ok());
    for (auto image = reader->next(); image.ok() && *image; image = reader->next()) {
      const auto value = [&](uint64_t at) {
        uint64_t word = 0;
        std::memcpy(&word, reader->bytes().data() + at, sizeof(word));
        return word == 111 || word == 222 ? word : 0;
      };
      all.emplace((*image)->point.finished, value(4096), value(8192));
    }
    return all;
  }

  std::string folder_;
  trace trace_{};
  uint8_t* medium_ = nullptr;
};

TEST_F(CrashTrace, WhatThePluginWritesIsReadBackEventByEvent) {
  record();
  const auto recording = read_bytes(folder_ + ".0.events");
  ASSERT_TRUE(recording.ok());
  const auto trace = trace_of(*recording);
  ASSERT_TRUE(trace.ok());
  std::vector<Kind> kinds;
  for (const pmem::Event& event : trace->events) kinds.push_back(event.kind);
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::kOpBegin, Kind::kStore, Kind::kFlush, Kind::kFence, Kind::kOpEnd, Kind::kOpBegin, Kind::kStream,
                                      Kind::kOpEnd}));
  EXPECT_EQ(trace->events[1].offset_bytes, 4096u);
  uint64_t stored = 0;
  std::memcpy(&stored, trace->data.data() + trace->events[6].data_at, sizeof(stored));
  EXPECT_EQ(stored, 222u);
  const auto base = read_bytes(folder_ + ".0.base");
  ASSERT_TRUE(base.ok());
  EXPECT_EQ(*base, foreign_bytes(kMediumBytes)) << "the base is the medium before the first store";
}

TEST_F(CrashTrace, ADamagedRecordingIsRefused) {
  record();
  auto recording = *read_bytes(folder_ + ".0.events");
  for (const size_t size : {size_t{1}, recording.size() - 1}) {
    EXPECT_FALSE(trace_of(std::span(recording).first(size)).ok()) << size;
  }
  recording[12] = std::byte{99};
  EXPECT_FALSE(trace_of(recording).ok());
}

TEST_F(CrashTrace, ImagesHoldWhatWasFencedAndMayHoldWhatWasNot) {
  record();
  const Json made = images();
  EXPECT_EQ(made["trace"]["fences"].u64(), 1u);
  EXPECT_EQ(made["images"].u64(), made["distinct"].u64());
  const auto all = seen();
  EXPECT_TRUE(all.contains({2, 111, 0}) && all.contains({2, 111, 222}));
  EXPECT_FALSE(all.contains({2, 0, 0}) || all.contains({1, 0, 0})) << "a fenced line cannot be lost";
  images("fences");
  EXPECT_TRUE(seen().contains({2, 0, 0})) << "without its fence it can";
}

TEST_F(CrashTrace, ALockedInstructionOrdersWhereItIsAskedTo) {
  ASSERT_TRUE(trace_begin(&trace_));
  trace_put(&trace_, TRACE_OP_BEGIN, 0, 0);
  store(TRACE_STORE, 4096, 111);
  trace_access(&trace_, TRACE_FLUSH, trace_.begin + 4096, 64);
  trace_locked(&trace_);
  trace_put(&trace_, TRACE_OP_END, 0, 0);
  ASSERT_TRUE(trace_end(&trace_));
  Json task = Json::object();
  task.set("do", "images").set("trace", folder_ + ".0").set("out", folder_ + ".out");
  EXPECT_EQ((*run_crash_step(task))["trace"]["fences"].u64(), 0u);
  EXPECT_TRUE(seen().contains({1, 0, 0})) << "no fence: it may be lost";
  EXPECT_EQ((*run_crash_step(task.set("ordering", "locked")))["trace"]["fences"].u64(), 1u);
  EXPECT_FALSE(seen().contains({1, 0, 0}));
}

TEST_F(CrashTrace, ALimitSpreadsOverTheWholeRecording) {
  record();
  Json task = Json::object();
  task.set("do", "images").set("trace", folder_ + ".0").set("out", folder_ + ".out").set("limit", 2);
  EXPECT_EQ((*run_crash_step(task))["images"].u64(), 2u);
}

TEST(CrashBatch, EveryImageComesOutAsItWentIn) {
  std::vector<std::byte> bytes = foreign_bytes(3 * kBlockBytes);
  std::memset(bytes.data() + kBlockBytes, 0, kBlockBytes);
  bytes[5] = std::byte{1};
  BatchWriter writer(bytes);
  std::vector<std::vector<std::byte>> all;
  for (size_t i = 0; i < 4; ++i) {
    bytes[i * 1000] = std::byte{0xab};
    if (i == 2) bytes[0] = std::byte{7};
    all.push_back(bytes);
    writer.add({"1/one-" + std::to_string(i), {i, i % 2 == 1}}, bytes);
  }
  auto reader = BatchReader::open(writer.file());
  ASSERT_TRUE(reader.ok());
  for (size_t i = 0; i < 4; ++i) {
    const auto image = reader->next();
    ASSERT_TRUE(image.ok() && *image);
    EXPECT_EQ((*image)->id, "1/one-" + std::to_string(i));
    EXPECT_EQ((*image)->point.finished, i);
    EXPECT_EQ((*image)->point.under_way, i % 2 == 1);
    EXPECT_TRUE(std::ranges::equal(reader->bytes(), all[i]));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(reader->bytes().data()) % kBlockBytes, 0u);
  }
  EXPECT_FALSE(*reader->next());
  for (const size_t size : {size_t{3}, size_t{20}, writer.file().size() - 1}) {
    auto cut = BatchReader::open(std::span(writer.file()).first(size));
    bool refused = !cut.ok();
    while (!refused) {
      const auto image = cut->next();
      refused = !image.ok();
      if (image.ok() && !*image) break;
    }
    EXPECT_TRUE(refused) << size;
  }
}

TEST(CrashPlan, EveryFileSystemOfThePlanAndSequencesOfTheSeed) {
  Arguments arguments;
  arguments.add("--fs", "ext4-dax,xfs-dax");
  const auto plan = plan_from(std::string(DAXLAB_SOURCE_DIR) + "/harness/guest/standard.toml", arguments);
  ASSERT_TRUE(plan.ok());
  const auto json = crash_plan_json(*plan, "500");
  ASSERT_TRUE(json.ok());
  ASSERT_EQ((*json)["file_systems"].elements().size(), 2u);
  EXPECT_THAT((*json)["file_systems"].elements()[0]["mkfs"].text(), HasSubstr("$DEVICE 8192"));
  EXPECT_THAT((*json)["file_systems"].elements()[1]["mkfs"].text(), HasSubstr("--unsupported -d size=33554432 $DEVICE"));
  ASSERT_EQ((*json)["sequences"].elements().size(), 7u);
  for (const Json& sequence : (*json)["sequences"].elements()) {
    EXPECT_TRUE(crash::parse_ops(sequence["setup"].text()).ok());
    EXPECT_TRUE(crash::parse_ops(sequence["ops"].text()).ok());
  }
  EXPECT_THAT((*json)["sequences"].elements()[5]["ops"].text(), HasSubstr("mapped-store /foo 512+200@101; fsync /foo"));
  for (const char* wrong : {"0", "many", "-1", "12x", ""}) EXPECT_EQ(crash_plan_json(*plan, wrong).code(), Errc::kUsage) << wrong;
}

TEST(CrashRecord, EverySequenceOfOneRunsOnAKernelsFileSystemAsInTheModel) {
  const auto spec = parse_engine("posix");
  ASSERT_TRUE(spec.ok());
  for (const crash::Sequence& sequence : crash::sequences_of_one(crash::SyncPoints::kAdded)) {
    auto engine = spec->type->mount(nullptr, spec->options);
    ASSERT_TRUE(engine.ok()) << engine.error().message();
    crash::HeldFiles held;
    crash::Tree model;
    std::vector<crash::Op> ops = sequence.setup;
    ops.insert(ops.end(), sequence.ops.begin(), sequence.ops.end());
    for (const crash::Op& op : ops) {
      const auto done = crash::apply(**engine, held, op);
      ASSERT_EQ(done.ok(), crash::apply(model, op).ok()) << op.to_string() << ": " << (done.ok() ? "done" : done.error().message());
    }
    held.by_path.clear();
    const auto tree = crash::capture(**engine);
    ASSERT_TRUE(tree.ok()) << tree.error().message();
    ASSERT_EQ(crash::difference(model, *tree), "") << crash::to_string(sequence.ops);
    EXPECT_TRUE((*engine)->unmount().ok());
  }
}

TEST(CrashTraceClassify, TheCompareThatStandsForAFlushIsTold) {
  const uint8_t shown[] = {0x3e, 0x80, 0x38, 0x00};
  const uint8_t other[] = {0x3e, 0x80, 0x38, 0x01};
  EXPECT_TRUE(is_shown_flush(shown, sizeof(shown)));
  EXPECT_FALSE(is_shown_flush(other, sizeof(other)));
  EXPECT_FALSE(is_shown_flush(shown + 1, 3));
}

}  // namespace
}  // namespace daxlab::harness
