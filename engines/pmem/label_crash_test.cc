// A crash while a label is written leaves the old state or the new one, never half a label.
#include <gtest/gtest.h>

#include "engines/pmem/crash_images.h"
#include "engines/pmem/label.h"

namespace daxlab::pmem {
namespace {

TEST(LabelCrash, LeavesNoLabelOrAWholeOne) {
  const auto region = Region::for_test(16 * kBlockBytes).value();
  Label old_label;
  old_label.engine = "old";
  write_label(*region, old_label);
  std::vector<std::byte> base(region->bytes().begin(), region->bytes().end());
  Trace trace;
  {
    Recorder recorder(*region);
    Label new_label;
    new_label.engine = "new";
    new_label.options = std::string(900, 'o');
    write_label(*region, new_label);
    trace = recorder.take();
  }
  CrashOptions options;
  options.images_per_point = 0;
  CrashImages images(trace, *region, base, options);
  uint64_t none = 0;
  uint64_t whole = 0;
  while (images.next()) {
    const Result<Label> read = read_label(*region);
    if (read.ok()) {
      ++whole;
      EXPECT_TRUE(read->engine == "old" || read->engine == "new") << images.id();
    } else {
      ++none;
      EXPECT_EQ(read.code(), Errc::kWrongLabel) << images.id() << ": " << read.error().message();
    }
  }
  EXPECT_GT(none, 10u);
  EXPECT_GE(whole, 2u);
}

}  // namespace
}  // namespace daxlab::pmem
