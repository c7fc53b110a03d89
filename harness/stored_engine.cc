#include "harness/stored_engine.h"

#include <fmt/format.h>

#include "engines/pmem/emulation.h"
#include "engines/pmem/label.h"

namespace daxlab::harness {
namespace {

/// The engine that the label names, with the options it was made with.
Result<EngineSpec> engine_of(const pmem::Label& label, const std::string& path) {
  auto spec = parse_engine(label.options.empty() ? label.engine : label.engine + ":" + label.options);
  if (!spec.ok())
    return Error(Errc::kWrongLabel, fmt::format("{}: labelled by an engine that is not here: {}", path, spec.error().message()));
  if (spec->type->format_version() != label.format_version) {
    return Error(Errc::kWrongLabel, fmt::format("{}: is {} version {}, and this program knows version {}", path, label.engine,
                                                label.format_version, spec->type->format_version()));
  }
  return spec;
}

}  // namespace

Result<pmem::MediaSpec> parse_lasting_media(const std::string& text) {
  DAXLAB_ASSIGN(pmem::MediaSpec spec, pmem::MediaSpec::parse(text));
  if (spec.kind == pmem::MediaKind::kDram) {
    return Error(Errc::kUsage, "a dram medium is gone when this command ends; use file:PATH:SIZE or devdax:PATH");
  }
  return spec;
}

Result<std::unique_ptr<pmem::Region>> open_lasting_region(const pmem::MediaSpec& spec) {
  DAXLAB_ASSIGN(const pmem::Profile* profile, pmem::find_profile(spec.profile));
  auto region = pmem::Region::open(spec);
  if (!region.ok()) return Error(Errc::kUsage, region.error().message());
  pmem::apply_profile(*profile);
  return region;
}

Result<StoredEngine> open_stored_engine(const std::string& media) {
  StoredEngine stored;
  DAXLAB_ASSIGN(stored.media, parse_lasting_media(media));
  const auto label = pmem::peek_label(stored.media);
  if (!label.ok()) {
    const bool damage = label.code() == Errc::kCorrupt;
    return Error(damage ? Errc::kCorrupt : Errc::kWrongLabel, fmt::format("{}: {}", stored.media.path, label.error().message()));
  }
  DAXLAB_ASSIGN(stored.spec, engine_of(*label, stored.media.path));
  stored.media.run = label->run;
  stored.media.seed = label->seed;
  stored.media.size_bytes = label->size_bytes;
  DAXLAB_ASSIGN(stored.region, open_lasting_region(stored.media));
  DAXLAB_ASSIGN(stored.engine, stored.spec.type->mount(stored.region.get(), stored.spec.options));
  return stored;
}

}  // namespace daxlab::harness
