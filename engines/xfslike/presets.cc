#include "engines/xfslike/presets.h"

#include "engines/pmem/label.h"
#include "engines/xfslike/engine.h"
#include "engines/xfslike/mkfs.h"
#include "engines/xfslike/mount.h"

namespace daxlab::xfslike {

Preset xfs_today_preset() {
  return {"xfs-today",
          "XFS as it is today less the block layer: DRAM iclogs copied to a log, DRAM copies of metadata written back",
          {{"log", "buffered"}, {"format", "v2"}, {"meta", "buffer"}},
          {":format=v3:background=inline"}};
}

Preset contig_preset() {
  return {"contig",
          "xfs-today with contiguous metadata read in place under a DRAM overlay: the control that needs no retrofit",
          {{"log", "buffered"}, {"format", "v2"}, {"meta", "overlay"}, {"map", "contig"}},
          {}};
}

Traits PresetType::traits(const Options& options) const {
  Traits traits;
  traits.durable_on_return = options.is("durability", "op");
  return traits;
}

std::vector<std::string> PresetType::suite_variants() const {
  std::vector<std::string> specs{name()};
  for (const std::string& variant : preset_.variants) specs.push_back(name() + variant);
  return specs;
}

uint32_t PresetType::format_version() const { return kFormatVersion; }

uint64_t PresetType::min_size_bytes() const { return min_medium_bytes(); }

Result<void> PresetType::format(pmem::Region* region, const Options& options) const {
  DAXLAB_CHECK(region != nullptr);
  DAXLAB_ASSIGN(const CoreOptions core, parse_options(options));
  pmem::erase_label(*region);
  DAXLAB_TRY(make_file_system(*region, core));
  pmem::Label label;
  label.engine = name();
  label.format_version = format_version();
  label.options = options.to_string();
  label.run = region->geometry().run();
  label.seed = region->spec().seed;
  label.size_bytes = region->size_bytes();
  pmem::write_label(*region, label);
  return {};
}

Result<std::unique_ptr<Engine>> PresetType::mount(pmem::Region* region, const Options& options) const {
  DAXLAB_CHECK(region != nullptr);
  DAXLAB_TRY(pmem::expect_label(*region, name(), format_version()));
  DAXLAB_ASSIGN(const pmem::Label label, pmem::read_label(*region));
  DAXLAB_ASSIGN(const CoreOptions core, parse_options(options, label.options));
  DAXLAB_ASSIGN(auto fs, mount_file_system(*region, core));
  return make_engine(std::move(fs));
}

}  // namespace daxlab::xfslike
