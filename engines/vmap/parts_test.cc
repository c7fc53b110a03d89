#include "engines/xfslike/parts.h"

#include <gtest/gtest.h>

#include <string>

namespace daxlab::vmap {
namespace {

TEST(VmapParts, AreMadeByTheirNames) {
  const auto region = pmem::Region::for_test(8 * kMiB).value();
  const xfslike::BlockRun log{16, 256};
  for (const std::string name : {"premap", "at-write"}) {
    xfslike::CoreOptions options;
    options.log = name;
    const auto made = xfslike::make_log_placement({*region, options, std::span(&log, 1)});
    ASSERT_TRUE(made.ok()) << made.error().message();
    EXPECT_EQ((*made)->name(), name);
    EXPECT_EQ((*made)->blocks(), 256 * kBlockBytes / 512);
  }
  for (const std::string name : {"vmap-model", "vmap-real"}) {
    xfslike::CoreOptions options;
    options.map = name;
    const auto made = xfslike::make_buffer_mapping({*region, options, {}});
    if (!made.ok()) {
      EXPECT_EQ(made.code(), Errc::kMissingFacility) << name;
      continue;
    }
    EXPECT_EQ((*made)->name(), name);
    EXPECT_TRUE((*made)->map(std::span(&log, 1)).ok());
  }
}

}  // namespace
}  // namespace daxlab::vmap
