#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "workloads/workload.h"

namespace daxlab {
namespace {

using ::testing::HasSubstr;

TEST(WorkloadRegistryTest, EveryWorkloadIsRegistered) {
  std::vector<std::string> names;
  for (const WorkloadType* type : workload_types()) names.push_back(type->name());
  EXPECT_THAT(names, ::testing::IsSupersetOf({"append", "create_unlink", "fault_vs_write", "fsync_every", "mmap_fault",
                                              "overwrite", "read", "readdir", "rename", "stat"}));
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST(WorkloadRegistryTest, UnknownNameIsRefusedWithTheNamesThereAre) {
  const auto found = find_workload("apend");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.code(), Errc::kUsage);
  EXPECT_THAT(found.error().message(), HasSubstr("'apend'"));
  EXPECT_THAT(found.error().message(), HasSubstr("append, create_unlink"));
}

TEST(WorkloadRegistryTest, DefaultsOfEveryWorkloadResolve) {
  for (const WorkloadType* type : workload_types()) {
    const auto params = resolve_params(*type, {});
    ASSERT_TRUE(params.ok()) << type->name() << ": " << params.error().message();
    EXPECT_EQ(params->all().size(), type->axes().size());
    EXPECT_FALSE(type->description().empty());
    EXPECT_EQ(type->description().find('\n'), std::string::npos);
  }
}

TEST(WorkloadRegistryTest, EveryEnumValueAndEveryLimitIsAcceptedAndNothingBeyond) {
  for (const WorkloadType* type : workload_types()) {
    for (const AxisSpec& axis : type->axes()) {
      for (const std::string& value : axis.values) {
        const auto params = resolve_params(*type, {{axis.name, value}});
        ASSERT_TRUE(params.ok()) << type->name() << " " << axis.name << "=" << value << ": " << params.error().message();
        EXPECT_EQ(params->get(axis.name), value);
      }
      const auto beyond = resolve_params(*type, {{axis.name, axis.kind == AxisSpec::Kind::kEnum ? "no-such-value" : "x"}});
      ASSERT_FALSE(beyond.ok()) << type->name() << " " << axis.name;
      EXPECT_EQ(beyond.code(), Errc::kUsage);
      if (axis.kind == AxisSpec::Kind::kEnum) continue;
      const auto above = resolve_params(*type, {{axis.name, std::to_string(axis.max + 1)}});
      ASSERT_FALSE(above.ok()) << type->name() << " " << axis.name;
      EXPECT_EQ(above.code(), Errc::kUsage);
    }
  }
}

TEST(WorkloadRegistryTest, UnknownAxisIsRefusedWithTheAxesThereAre) {
  const auto params = resolve_params(*find_workload("stat").value(), {{"block_bytes", "4KiB"}});
  ASSERT_FALSE(params.ok());
  EXPECT_EQ(params.code(), Errc::kUsage);
  EXPECT_THAT(params.error().message(), HasSubstr("'block_bytes'"));
  EXPECT_THAT(params.error().message(), HasSubstr("population"));
}

TEST(WorkloadRegistryTest, ParametersThatContradictEachOtherAreRefused) {
  const auto refused = [](const char* workload, const std::map<std::string, std::string>& given) {
    const auto params = resolve_params(*find_workload(workload).value(), given);
    return !params.ok() && params.code() == Errc::kUsage;
  };
  EXPECT_TRUE(refused("append", {{"block_bytes", "100"}}));
  EXPECT_TRUE(refused("append", {{"block_bytes", "4MiB"}, {"file_size", "6MiB"}}));
  EXPECT_TRUE(refused("overwrite", {{"block_bytes", "128KiB"}, {"file_size", "64KiB"}}));
  EXPECT_TRUE(refused("mmap_fault", {{"touch", "redirty"}, {"access", "read"}}));
  EXPECT_TRUE(refused("mmap_fault", {{"file_size", "65537"}}));
  EXPECT_TRUE(refused("fault_vs_write", {{"faulters", "0"}, {"writers", "0"}}));
  EXPECT_TRUE(refused("fault_vs_write", {{"faulters", "9"}}));
  EXPECT_TRUE(refused("fsync_every", {{"n", "0"}}));
}

TEST(WorkloadRegistryTest, SizesAreOneParameterHoweverTheyAreWritten) {
  const WorkloadType& append = *find_workload("append").value();
  const auto one = resolve_params(append, {{"block_bytes", "4096"}});
  const auto other = resolve_params(append, {{"block_bytes", "4KiB"}});
  EXPECT_EQ(fingerprint(append, one.value()), fingerprint(append, other.value()));
}

TEST(WorkloadRegistryTest, FingerprintChangesWithTheWorkloadAndEveryParameter) {
  std::set<std::string> seen;
  size_t points = 0;
  for (const WorkloadType* type : workload_types()) {
    const Params defaults = resolve_params(*type, {}).value();
    seen.insert(fingerprint(*type, defaults));
    ++points;
    for (const AxisSpec& axis : type->axes()) {
      Params changed = defaults;
      changed.set(axis.name, "something else");
      seen.insert(fingerprint(*type, changed));
      ++points;
    }
  }
  EXPECT_EQ(seen.size(), points);
}

TEST(WorkloadRegistryTest, RolesFixTheThreadCount) {
  const WorkloadType& type = *find_workload("fault_vs_write").value();
  EXPECT_EQ(type.fixed_threads(resolve_params(type, {{"faulters", "2"}, {"writers", "3"}}).value()), 5u);
  const WorkloadType& append = *find_workload("append").value();
  EXPECT_EQ(append.fixed_threads(resolve_params(append, {}).value()), 0u);
}

TEST(WorkloadRegistryTest, MappedWorkloadsSayThatTheyNeedMmap) {
  Traits traits;
  traits.mappable = false;
  for (const WorkloadType* type : workload_types()) {
    const bool mapped = type->name() == "mmap_fault" || type->name() == "fault_vs_write";
    EXPECT_EQ(!type->unsuited(traits).empty(), mapped) << type->name();
  }
}

}  // namespace
}  // namespace daxlab
