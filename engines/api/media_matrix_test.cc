// Every engine on a region, over every geometry, page table kind and emulation profile: one scenario that touches names, data and
// a mapping.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/api/testing.h"
#include "engines/pmem/emulation.h"
#include "engines/pmem/media_spec.h"

namespace daxlab::tests {
namespace {

constexpr uint64_t kFileBytes = 1 * kMiB + 100;

struct Case {
  std::string engine;
  std::string run;
  std::string mmu;  ///< Empty where the engine has no such option.
  std::string profile;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.engine << ' ' << one.run << ' ' << one.mmu << ' ' << one.profile; }

bool has_option(const EngineType& type, const std::string& name) {
  const auto options = type.options();
  return std::any_of(options.begin(), options.end(), [&](const OptionSpec& option) { return option.name == name; });
}

/// Page tables of the kernel's refuse geometries whose runs are a few blocks long: one mapping a run (mmu_test.cc holds them to it).
bool can_exist(const std::string& run, const std::string& mmu) {
  return (run != "4KiB" && run != "hole") || (mmu != "uffd" && mmu != "sigsegv");
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const EngineType* type : engine_types()) {
    const EngineSpec spec = must(parse_engine(type->name()));
    if (type->suite_variants().empty() || !type->traits(spec.options).needs_region) continue;
    for (const char* run : {"linear", "4KiB", "64KiB", "2MiB", "stripe-64KiB", "hole"}) {
      for (const char* mmu : {"auto", "uffd", "sigsegv", "soft"}) {
        const bool mapped_by_mmu = has_option(*type, "mmu");
        if ((!mapped_by_mmu && std::string(mmu) != "auto") || !can_exist(run, mmu)) continue;
        for (const pmem::Profile& profile : pmem::profiles()) {
          all.push_back({type->name(), run, mapped_by_mmu ? mmu : "", profile.name});
        }
      }
    }
  }
  return all;
}

std::string title(const ::testing::TestParamInfo<Case>& info) {
  std::string text = info.param.engine + "_" + info.param.run + "_" + info.param.mmu + "_" + info.param.profile;
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return text;
}

class MediaMatrix : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    spec_ = must(parse_engine(GetParam().engine));
    if (!GetParam().mmu.empty()) spec_.options.set("mmu", GetParam().mmu);
    pmem::apply_profile(*must(pmem::find_profile(GetParam().profile)));
    region_ = must(pmem::Region::for_test(std::max<uint64_t>(32 * kMiB, spec_.type->min_size_bytes()),
                                          must(pmem::parse_run(GetParam().run)), 3));
    must(spec_.type->format(region_.get(), spec_.options));
  }
  void TearDown() override { pmem::apply_profile(*must(pmem::find_profile("dram"))); }

  EngineSpec spec_;
  std::unique_ptr<pmem::Region> region_;
};

TEST_P(MediaMatrix, NamesDataAndMappedStoresSurviveARemount) {
  Bytes expected = content(1, kFileBytes);
  auto mounted = spec_.type->mount(region_.get(), spec_.options);
  if (!mounted.ok() && mounted.code() == Errc::kMissingFacility) GTEST_SKIP() << mounted.error().message();
  std::unique_ptr<Engine> engine = must(std::move(mounted));
  {
    auto root = must(engine->open_directory(engine->root()));
    auto file = must(root->create("file", 0644, Caller{})).file;
    must(file->write(0, expected));
    const Bytes small = content(2, 100);
    must(file->write(70'000, small));
    std::copy(small.begin(), small.end(), expected.begin() + 70'000);
    auto mapping = must(file->map(0, align_down(kFileBytes, kBlockBytes), true));
    const Bytes stored = content(3, 10'000);
    must(mapping->store(5'000, stored));
    std::copy(stored.begin(), stored.end(), expected.begin() + 5'000);
    must(mapping->sync(0, mapping->size_bytes()));
    must(root->rename("file", *root, "renamed", RenameFlags::kNone));
  }
  must(engine->unmount());
  engine = must(spec_.type->mount(region_.get(), spec_.options));
  {
    auto file = must(open_path(*engine, "/renamed"));
    Bytes found(kFileBytes);
    EXPECT_EQ(must(file->read(0, found)), kFileBytes);
    EXPECT_EQ(difference(found, expected), "");
  }
  EXPECT_THAT(must(engine->check()).findings, ::testing::IsEmpty());
  must(engine->unmount());
}

INSTANTIATE_TEST_SUITE_P(EveryMedium, MediaMatrix, ::testing::ValuesIn(cases()), title);

}  // namespace
}  // namespace daxlab::tests
