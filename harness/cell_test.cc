#include "harness/cell.h"

#include <gtest/gtest.h>

namespace daxlab::harness {
namespace {

Cell cell_of(const std::string& engine, const std::string& workload, const std::string& media = "dram:64MiB") {
  Cell cell;
  cell.engine = parse_engine(engine).value();
  cell.workload = find_workload(workload).value();
  cell.params = resolve_params(*cell.workload, {}).value();
  cell.media = pmem::MediaSpec::parse(media).value();
  return cell;
}

TEST(CellId, IsSixteenDigitsAndRepeats) {
  EXPECT_EQ(cell_of("null", "append").id().size(), 16u);
  EXPECT_EQ(cell_of("null", "append").id(), cell_of("null", "append").id());
}

TEST(CellId, CoversWhateverCanChangeANumber) {
  const Cell base = cell_of("null", "append");
  EXPECT_NE(base.id(), cell_of("posix", "append").id());
  EXPECT_NE(base.id(), cell_of("null", "read").id());
  EXPECT_NE(base.id(), cell_of("null@a", "append").id());
  EXPECT_NE(cell_of("null@a", "append").id(), cell_of("null@b", "append").id());
  EXPECT_NE(cell_of("posix:path=/a", "append").id(), cell_of("posix:path=/b", "append").id());
  EXPECT_NE(base.id(), cell_of("null", "append", "dram:128MiB").id());
  EXPECT_NE(base.id(), cell_of("null", "append", "dram:64MiB?run=64KiB").id());
  EXPECT_NE(base.id(), cell_of("null", "append", "dram:64MiB?profile=optane-100").id());
  Cell other = base;
  other.threads = 2;
  EXPECT_NE(base.id(), other.id());
  other = base;
  other.crossing = Crossing::kSyscall;
  EXPECT_NE(base.id(), other.id());
  other = base;
  other.params = resolve_params(*base.workload, {{"block_bytes", "8KiB"}}).value();
  EXPECT_NE(base.id(), other.id());
}

TEST(CellId, LeavesThePathOfTheMediumOut) {
  EXPECT_EQ(cell_of("null", "append", "file:/tmp/a:64MiB").id(), cell_of("null", "append", "file:/var/b:64MiB").id());
}

TEST(CellTask, CrossesAPipeUnchanged) {
  CellTask task;
  task.cell = cell_of("posix@x:path=/tmp", "fsync_every", "dram:64MiB?run=stripe-64KiB&seed=9");
  task.cell.params = resolve_params(*task.cell.workload, {{"n", "16"}, {"op", "append"}}).value();
  task.cell.threads = 3;
  task.cell.crossing = Crossing::kSyscall;
  task.kind = Kind::kAccounted;
  task.seed = (uint64_t{1} << 62) + 3;
  task.ops = 1234;
  const auto json = Json::parse(task.to_json().dump());
  ASSERT_TRUE(json.ok());
  const auto back = CellTask::from_json(*json);
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back->cell.id(), task.cell.id());
  EXPECT_EQ(back->kind, task.kind);
  EXPECT_EQ(back->seed, task.seed);
  EXPECT_EQ(back->ops, task.ops);
  EXPECT_EQ(back->cell.engine.label, "x");
}

TEST(Kind, NamesAreReadBack) {
  for (const Kind kind : {Kind::kPlain, Kind::kAccounted, Kind::kTraced}) EXPECT_EQ(*parse_kind(name(kind)), kind);
  EXPECT_FALSE(parse_kind("exactly").ok());
}

}  // namespace
}  // namespace daxlab::harness
