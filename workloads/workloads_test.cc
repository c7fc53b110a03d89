// Every workload at a small size on every engine that is registered, and the proof that its verify() finds damage.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "engines/api/path.h"
#include "engines/api/testing.h"
#include "engines/pmem/region.h"
#include "workloads/workload.h"

namespace daxlab {
namespace {

constexpr uint64_t kMediumBytes = 64 * kMiB;
constexpr uint64_t kSeed = 11;

/// A workload with parameters, prepared on a fresh engine.
class Cell {
 public:
  Cell(const std::string& engine, const std::string& workload, const std::map<std::string, std::string>& given, uint32_t threads)
      : spec_(parse_engine(engine).value()),
        traits_(spec_.type->traits(spec_.options)),
        type_(*find_workload(workload).value()),
        params_(resolve_params(type_, given).value()) {
    if (traits_.needs_region) region_ = pmem::Region::for_test(kMediumBytes).value();
    const auto formatted = spec_.type->format(region_.get(), spec_.options);
    DAXLAB_CHECK(formatted.ok());
    engine_ = spec_.type->mount(region_.get(), spec_.options).value();
    const uint32_t fixed = type_.fixed_threads(params_);
    context_ =
        std::make_unique<WorkloadContext>(WorkloadContext{*engine_, traits_, params_, fixed != 0 ? fixed : threads, kSeed});
    workload_ = type_.create();
  }

  Engine& engine() { return *engine_; }
  Result<void> prepare() { return workload_->prepare(*context_); }
  Result<void> verify() { return workload_->verify(*context_); }

  /// Runs `steps` steps in each worker, all at once; returns how many pauses there were.
  Result<uint64_t> run(uint64_t steps) {
    std::vector<std::unique_ptr<Worker>> workers;
    for (uint32_t i = 0; i < context_->threads; ++i) {
      DAXLAB_ASSIGN(auto worker, workload_->make_worker(*context_, i, Random::mix(kSeed, i)));
      workers.push_back(std::move(worker));
    }
    std::vector<Result<uint64_t>> results(workers.size(), Errc::kIo);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < workers.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = run_one(*workers[i], steps); });
    }
    for (std::thread& thread : threads) thread.join();
    uint64_t pauses = 0;
    for (auto& result : results) {
      DAXLAB_ASSIGN(const uint64_t own, std::move(result));
      pauses += own;
    }
    return pauses;
  }

 private:
  static Result<uint64_t> run_one(Worker& worker, uint64_t steps) {
    uint64_t pauses = 0;
    for (uint64_t i = 0; i < steps; ++i) {
      DAXLAB_ASSIGN(const Step step, worker.step());
      if (step != Step::kPause) continue;
      ++pauses;
      DAXLAB_TRY(worker.reset());
    }
    return pauses;
  }

  EngineSpec spec_;
  Traits traits_;
  const WorkloadType& type_;
  Params params_;
  std::unique_ptr<pmem::Region> region_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<WorkloadContext> context_;
  std::unique_ptr<Workload> workload_;
};

/// Small enough that a few hundred steps pass every pause.
std::map<std::string, std::string> small(const WorkloadType& type) {
  std::map<std::string, std::string> given;
  for (const AxisSpec& axis : type.axes()) {
    if (axis.name == "file_size") given["file_size"] = "64KiB";
    if (axis.name == "population") given["population"] = "20";
    if (axis.name == "n") given["n"] = "3";
  }
  return given;
}

/// The small point, and each value of each enum beside the small defaults.
std::vector<std::map<std::string, std::string>> points(const WorkloadType& type) {
  std::vector<std::map<std::string, std::string>> all = {small(type)};
  for (const AxisSpec& axis : type.axes()) {
    std::vector<std::string> values = axis.values;
    if (axis.name == "block_bytes") values = {"64", "1KiB", "16KiB"};
    for (const std::string& value : values) {
      auto given = small(type);
      given[axis.name] = value;
      if (resolve_params(type, given).ok()) all.push_back(given);
    }
  }
  return all;
}

std::string text(const std::map<std::string, std::string>& given) {
  std::string out;
  for (const auto& [name, value] : given) out += name + "=" + value + " ";
  return out;
}

/// A workload on an engine that can run it.
struct Pair {
  std::string engine;
  std::string workload;
};

std::vector<Pair> pairs(bool stores_data) {
  std::vector<Pair> all;
  for (const std::string& engine : tests::suite_specs()) {
    const EngineSpec spec = tests::must(parse_engine(engine));
    const Traits traits = spec.type->traits(spec.options);
    for (const WorkloadType* type : workload_types()) {
      if (type->unsuited(traits).empty() && (traits.stores_data || !stores_data)) all.push_back({engine, type->name()});
    }
  }
  return all;
}

std::string pair_test_name(const ::testing::TestParamInfo<Pair>& named) {
  std::string text = named.param.engine + "_" + named.param.workload;
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return text;
}

class EveryWorkloadTest : public ::testing::TestWithParam<Pair> {
 protected:
  const std::string engine_ = GetParam().engine;
  const std::string workload_ = GetParam().workload;
};
class StoringEngineTest : public EveryWorkloadTest {};

TEST_P(EveryWorkloadTest, RunsPausesAndVerifiesAtEveryValueOfItsAxes) {
  for (const auto& given : points(*find_workload(workload_).value())) {
    SCOPED_TRACE(text(given));
    Cell cell(engine_, workload_, given, 2);
    const auto prepared = cell.prepare();
    ASSERT_TRUE(prepared.ok()) << prepared.error().message();
    const auto pauses = cell.run(150);
    ASSERT_TRUE(pauses.ok()) << pauses.error().message();
    const auto verified = cell.verify();
    EXPECT_TRUE(verified.ok()) << verified.error().message();
    const auto unmounted = cell.engine().unmount();
    EXPECT_TRUE(unmounted.ok()) << "something is left open: " << unmounted.error().message();
  }
}

TEST_P(EveryWorkloadTest, HoldsBeforeTheFirstStepAndAtAPause) {
  for (const uint64_t steps : {0u, 16u, 20u}) {
    SCOPED_TRACE(steps);
    Cell cell(engine_, workload_, small(*find_workload(workload_).value()), 1);
    ASSERT_TRUE(cell.prepare().ok());
    ASSERT_TRUE(cell.run(steps).ok());
    const auto verified = cell.verify();
    EXPECT_TRUE(verified.ok()) << verified.error().message();
  }
}

/// Changes one byte of a file, as a wrong engine would.
Result<void> damage_file(Engine& engine, const std::string& path) {
  DAXLAB_ASSIGN(auto file, open_path(engine, path));
  DAXLAB_ASSIGN(const Attributes attributes, file->getattr());
  std::byte byte{};
  const uint64_t offset = attributes.size_bytes / 2 + 100;
  DAXLAB_TRY(file->read(offset, {&byte, 1}));
  byte ^= std::byte{0x40};
  DAXLAB_TRY(file->write(offset, {&byte, 1}));
  return {};
}

Result<std::string> first_name(Engine& engine, const std::string& path) {
  DAXLAB_ASSIGN(auto directory, open_directory_path(engine, path));
  std::string name;
  DAXLAB_TRY(directory->readdir(0, [&](const DirectoryEntry& entry) {
    name = entry.name;
    return false;
  }));
  return name;
}

Result<void> lose_name(Engine& engine, const std::string& path) {
  DAXLAB_ASSIGN(const std::string name, first_name(engine, path));
  DAXLAB_ASSIGN(auto directory, open_directory_path(engine, path));
  return directory->unlink(name);
}

Result<void> add_name(Engine& engine, const std::string& path) {
  DAXLAB_ASSIGN(auto directory, open_directory_path(engine, path));
  DAXLAB_TRY(directory->create("stray", 0600, Caller{}));
  return {};
}

/// Another file under a name that was there all the time.
Result<void> swap_inode(Engine& engine, const std::string& path) {
  DAXLAB_ASSIGN(const std::string name, first_name(engine, path));
  DAXLAB_TRY(add_name(engine, path));
  DAXLAB_ASSIGN(auto directory, open_directory_path(engine, path));
  return directory->rename("stray", *directory, name, RenameFlags::kNone);
}

TEST_P(StoringEngineTest, VerifyFindsDamage) {
  const std::map<std::string, std::vector<Result<void> (*)(Engine&, const std::string&)>> damages = {
      {"/data0", {damage_file}}, {"/dir0", {lose_name, add_name, swap_inode}}};
  size_t tried = 0;
  for (const auto& [path, all] : damages) {
    for (size_t i = 0; i < all.size(); ++i) {
      SCOPED_TRACE(path + fmt::format(" damage {}", i));
      Cell cell(engine_, workload_, small(*find_workload(workload_).value()), 2);
      ASSERT_TRUE(cell.prepare().ok());
      ASSERT_TRUE(cell.run(15).ok());
      if (!resolve(cell.engine(), path).ok()) continue;
      if (workload_ == "stat" && all[i] == add_name) continue;           // asks for names, and cannot see one more
      if (workload_ == "fsync_every" && all[i] == swap_inode) continue;  // its files come and go, so any inode is right
      const auto damaged = all[i](cell.engine(), path);
      ASSERT_TRUE(damaged.ok()) << damaged.error().message();
      EXPECT_FALSE(cell.verify().ok());
      ++tried;
    }
  }
  EXPECT_GT(tried, 0u);
}

INSTANTIATE_TEST_SUITE_P(Engines, EveryWorkloadTest, ::testing::ValuesIn(pairs(false)), pair_test_name);
INSTANTIATE_TEST_SUITE_P(Engines, StoringEngineTest, ::testing::ValuesIn(pairs(true)), pair_test_name);

}  // namespace
}  // namespace daxlab
