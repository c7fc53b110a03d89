#include "engines/api/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engines/api/testing.h"

namespace daxlab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using tests::must;

std::vector<OptionSpec> sample_options() {
  OptionSpec data{"data", OptionSpec::Kind::kEnum, {"cow", "inplace"}, 0, 0, "cow", "how a block is overwritten"};
  OptionSpec durability{"durability", OptionSpec::Kind::kEnum, {"op", "fsync", "batch:N"}, 1, 1024, "op", "when"};
  OptionSpec cpus{"cpus", OptionSpec::Kind::kInteger, {}, 1, 64, "2", "allocator pieces"};
  OptionSpec log{"log_size", OptionSpec::Kind::kSize, {}, kMiB, kGiB, "64MiB", "the log"};
  OptionSpec path{"path", OptionSpec::Kind::kPath, {}, 0, 0, "", "where"};
  return {data, durability, cpus, log, path};
}

/// Registered only in this test binary: parses, and cannot be mounted.
class SampleType final : public EngineType {
 public:
  std::string name() const override { return "sample-of-registry-test"; }
  std::string description() const override { return "for the option grammar"; }
  std::vector<OptionSpec> options() const override { return sample_options(); }
  Traits traits(const Options&) const override {
    Traits traits;
    traits.stores_data = false;
    return traits;
  }
  std::vector<std::string> suite_variants() const override { return {}; }
  Result<void> format(pmem::Region*, const Options&) const override { return Errc::kNotSupported; }
  Result<std::unique_ptr<Engine>> mount(pmem::Region*, const Options&) const override { return Errc::kNotSupported; }
};
const RegisterEngine<SampleType> kRegistered;

const std::string kSample = "sample-of-registry-test";

std::string refusal(const std::string& text) {
  const Result<EngineSpec> spec = parse_engine(text);
  if (spec.ok()) return "accepted";
  EXPECT_EQ(spec.code(), Errc::kUsage);
  EXPECT_EQ(spec.error().message().find('\n'), std::string::npos);
  return spec.error().message();
}

// A static library, or a folder that the build forgot, would drop an engine without a word.
TEST(Registry, HasTheEnginesOfTheTree) {
  std::vector<std::string> names;
  for (const EngineType* type : engine_types()) names.push_back(type->name());
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_THAT(names, IsSupersetOf({"native", "native-relaxed", "null", "posix"}));
}

// Axes of engine, workload and harness share one name space; an engine's own must not meet the harness's.
TEST(Registry, OptionsOfEveryEngineAreDistinctAndHaveValidDefaults) {
  for (const EngineType* type : engine_types()) {
    SCOPED_TRACE(type->name());
    EXPECT_FALSE(type->description().empty());
    EXPECT_EQ(type->description().find('\n'), std::string::npos);
    std::set<std::string> names{"threads", "crossing", "engine", "media", "seed"};
    for (const OptionSpec& option : type->options()) {
      EXPECT_TRUE(names.insert(option.name).second) << option.name;
      EXPECT_FALSE(option.help.empty()) << option.name;
      if (option.kind == OptionSpec::Kind::kPath && option.default_value.empty()) continue;
      const Result<std::string> value = check_option(option, option.default_value);
      EXPECT_EQ(value.ok() ? *value : value.error().message(), option.default_value) << option.name;
    }
  }
}

TEST(Registry, EverySuiteVariantParsesToItsOwnEngine) {
  for (const EngineType* type : engine_types()) {
    for (const std::string& variant : type->suite_variants()) EXPECT_EQ(must(parse_engine(variant)).type, type) << variant;
  }
}

TEST(EngineSpec, ANameAloneHasEveryDefault) {
  const EngineSpec spec = must(parse_engine(kSample));
  EXPECT_EQ(spec.label, "");
  EXPECT_EQ(spec.options.get("data"), "cow");
  EXPECT_EQ(spec.options.integer("cpus"), 2u);
  EXPECT_EQ(spec.options.integer("log_size"), 64 * kMiB);
  EXPECT_EQ(spec.options.all().size(), sample_options().size());
  EXPECT_EQ(spec.to_string(), kSample);
}

TEST(EngineSpec, LabelAndOptionsAreTakenApartAndPutTogether) {
  const EngineSpec spec = must(parse_engine(kSample + "@a:cpus=5:data=inplace"));
  EXPECT_EQ(spec.label, "a");
  EXPECT_TRUE(spec.options.is("data", "inplace"));
  EXPECT_EQ(spec.to_string(), kSample + "@a:data=inplace:cpus=5");
}

TEST(EngineSpec, APartWithoutEqualsBelongsToTheValueBeforeIt) {
  const EngineSpec spec = must(parse_engine(kSample + ":durability=batch:16:path=/mnt/a:b:cpus=1"));
  EXPECT_EQ(spec.options.get("durability"), "batch:16");
  EXPECT_EQ(spec.options.number_in("durability"), 16u);
  EXPECT_EQ(spec.options.get("path"), "/mnt/a:b");
  EXPECT_EQ(spec.options.integer("cpus"), 1u);
  EXPECT_EQ(must(parse_engine(spec.to_string())).options.all(), spec.options.all());
}

TEST(EngineSpec, ValuesAreKeptInTheirCanonicalForm) {
  const EngineSpec spec = must(parse_engine(kSample + ":log_size=131072KiB:cpus=007"));
  EXPECT_EQ(spec.options.get("log_size"), "128MiB");
  EXPECT_EQ(spec.options.get("cpus"), "7");
  EXPECT_EQ(spec.options.number_in("data"), 0u);
}

TEST(EngineSpec, WrongInputIsOneLineThatNamesTheOffenderAndWhatThereIs) {
  EXPECT_THAT(refusal("nativ"), AllOf(HasSubstr("'nativ'"), HasSubstr("null, "), HasSubstr("posix")));
  EXPECT_THAT(refusal(""), HasSubstr("unknown engine ''"));
  EXPECT_THAT(refusal(kSample + ":dta=cow"), AllOf(HasSubstr("'dta'"), HasSubstr("data, durability")));
  EXPECT_THAT(refusal(kSample + ":data=cwo"), AllOf(HasSubstr("data=cwo"), HasSubstr("cow, inplace")));
  EXPECT_THAT(refusal(kSample + ":data"), HasSubstr("'data'"));
  EXPECT_THAT(refusal(kSample + ":"), HasSubstr("''"));
  EXPECT_THAT(refusal(kSample + ":durability=batch:0"), HasSubstr("1 to 1024"));
  EXPECT_THAT(refusal(kSample + ":durability=batch:x"), HasSubstr("1 to 1024"));
  EXPECT_THAT(refusal(kSample + ":durability=batch"), HasSubstr("batch:N"));
  EXPECT_THAT(refusal(kSample + ":cpus=65"), AllOf(HasSubstr("cpus=65"), HasSubstr("1 to 64")));
  EXPECT_THAT(refusal(kSample + ":cpus=-1"), HasSubstr("cpus=-1"));
  EXPECT_THAT(refusal(kSample + ":log_size=2GiB"), HasSubstr("1MiB to 1GiB"));
  EXPECT_THAT(refusal(kSample + ":log_size=big"), HasSubstr("log_size=big"));
  EXPECT_THAT(refusal(kSample + ":path="), HasSubstr("path"));
  EXPECT_THAT(refusal(kSample + ":cpus=1:cpus=2"), HasSubstr("twice"));
  EXPECT_THAT(refusal(kSample + "@"), HasSubstr("label"));
  EXPECT_THAT(refusal(kSample + "@a b"), HasSubstr("label"));
  EXPECT_THAT(refusal("null:cpus=1"), HasSubstr("it has none"));
}

TEST(RegistryDeathTest, TwoEnginesOfOneNameEndTheProgram) {
  EXPECT_DEATH(detail::register_engine(std::make_unique<SampleType>()), "inserted");
}

}  // namespace
}  // namespace daxlab
