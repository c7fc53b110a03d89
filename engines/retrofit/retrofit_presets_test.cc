#include "engines/retrofit/retrofit_presets.h"

#include <gtest/gtest.h>

namespace daxlab::retrofit {
namespace {

xfslike::CoreOptions core_of(const xfslike::Preset& preset) {
  Options options;
  for (const OptionSpec& spec : xfslike::option_specs(preset.choices)) options.set(spec.name, spec.default_value);
  const auto core = xfslike::parse_options(options);
  EXPECT_TRUE(core.ok()) << preset.name;
  return core.value();
}

TEST(RetrofitPresets, DifferFromTheBaselineInTheirPartsAlone) {
  const xfslike::CoreOptions today = core_of({"", "", {}, {}});
  const xfslike::CoreOptions direct = core_of(log_direct_preset());
  EXPECT_EQ(direct.log, "direct");
  EXPECT_EQ(direct.meta, today.meta);
  EXPECT_EQ(direct.format, today.format);
  const xfslike::CoreOptions retrofit = core_of(retrofit_preset());
  EXPECT_EQ(retrofit.log, "direct");
  EXPECT_EQ(retrofit.map, "segment");
  EXPECT_EQ(retrofit.meta, xfslike::MetaMode::kOverlay);
  EXPECT_EQ(retrofit.format, xfslike::LogFormat::kV3);
  for (const xfslike::CoreOptions* core : {&direct, &retrofit}) {
    EXPECT_EQ(core->log_unit_bytes, today.log_unit_bytes);
    EXPECT_EQ(core->iclog_bytes, today.iclog_bytes);
    EXPECT_EQ(core->durability, today.durability);
    EXPECT_EQ(core->push_inline, today.push_inline);
    EXPECT_EQ(core->completion_inline, today.completion_inline);
  }
}

}  // namespace
}  // namespace daxlab::retrofit
