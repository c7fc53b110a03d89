// Engines over the core: each a preset, a name for a choice of parts and defaults. Everything else is the same code.
//
// The core's own are `xfs-today` and `contig`; engines/retrofit and engines/vmap register theirs likewise:
// `const RegisterEngine<xfslike::PresetType> kRetrofit(xfslike::Preset{...});`.
#pragma once

#include <string>
#include <vector>

#include "engines/api/registry.h"
#include "engines/xfslike/options.h"

namespace daxlab::xfslike {

struct Preset {
  std::string name;
  std::string description;            ///< One line.
  OptionChoices choices;
  std::vector<std::string> variants;  ///< Options that the suites run besides none, as ":format=v3".
};

/// XFS as it is today, without block layer and driver: the baseline.
Preset xfs_today_preset();
/// The control: metadata read in place, contiguous.
Preset contig_preset();

class PresetType final : public EngineType {
 public:
  explicit PresetType(Preset preset) : preset_(std::move(preset)) {}

  std::string name() const override { return preset_.name; }
  std::string description() const override { return preset_.description; }
  std::string models() const override { return "xfs-dax"; }
  std::vector<OptionSpec> options() const override { return option_specs(preset_.choices); }
  Traits traits(const Options& options) const override;
  std::vector<std::string> suite_variants() const override;
  uint32_t format_version() const override;
  uint64_t min_size_bytes() const override;
  Result<void> format(pmem::Region* region, const Options& options) const override;
  Result<std::unique_ptr<Engine>> mount(pmem::Region* region, const Options& options) const override;

 private:
  const Preset preset_;
};

}  // namespace daxlab::xfslike
