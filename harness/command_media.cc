// daxlab mkfs and daxlab check: an image that lasts, formatted and proved.
#include <fmt/format.h>

#include "engines/api/registry.h"
#include "engines/base/units.h"
#include "harness/cli.h"
#include "harness/stored_engine.h"

namespace daxlab::harness {
namespace {

Result<int> mkfs(const Arguments& arguments) {
  DAXLAB_ASSIGN(const EngineSpec engine, parse_engine(arguments.get("--engine")));
  DAXLAB_ASSIGN(const pmem::MediaSpec spec, parse_lasting_media(arguments.get("--media")));
  if (!engine.type->traits(engine.options).needs_region) {
    return Error(Errc::kUsage, fmt::format("engine '{}' has no medium to format", engine.type->name()));
  }
  DAXLAB_ASSIGN(const std::unique_ptr<pmem::Region> region, open_lasting_region(spec));
  if (region->size_bytes() < engine.type->min_size_bytes()) {
    return Error(Errc::kUsage, fmt::format("{} is too small for {}: {}, it needs {}", spec.path, engine.type->name(),
                                           format_size(region->size_bytes()), format_size(engine.type->min_size_bytes())));
  }
  if (const auto formatted = engine.type->format(region.get(), engine.options); !formatted.ok()) {
    if (formatted.code() == Errc::kNoSpace) return Error(Errc::kUsage, formatted.error().message());
    return formatted.error();
  }
  fmt::print("{}: {}, {}\n", spec.path, engine.to_string(), format_size(region->size_bytes()));
  return kExitDone;
}

Result<int> check(const Arguments& arguments) {
  DAXLAB_ASSIGN(const StoredEngine stored, open_stored_engine(arguments.get("--media")));
  DAXLAB_ASSIGN(const CheckReport report, stored.engine->check());
  DAXLAB_TRY(stored.engine->unmount());
  for (const std::string& finding : report.findings) fmt::print("{}\n", finding);
  fmt::print("{}: {}, {} inodes, {} blocks used, {}\n", stored.media.path, stored.spec.to_string(), report.inodes,
             report.blocks_used, report.clean() ? std::string("clean") : fmt::format("{} findings", report.findings.size()));
  return report.clean() ? kExitDone : kExitFailed;
}

const RegisterCommand kMkfs{{
    .name = "mkfs",
    .purpose = "formats a medium that lasts with an engine; what was on it is lost",
    .options = {{"--engine", "E", "engine with its options; see 'daxlab list engines'", true},
                {"--media", "M", "file:PATH:SIZE (made or extended if need be) or devdax:PATH, with ?run=R&seed=N", true}},
    .examples = {"daxlab mkfs --engine native --media file:/tmp/image:64MiB",
                 "daxlab mkfs --engine native:data=inplace --media 'file:/tmp/image:64MiB?run=64KiB'"},
    .notes = "The image's label names engine, version, options and geometry: check and mount need nothing but the medium.",
    .passes_on = false,
    .order = 9,
    .run = mkfs,
}};

const RegisterCommand kCheck{{
    .name = "check",
    .purpose = "mounts a medium by its label, proves every invariant of its engine, and unmounts it",
    .options = {{"--media", "M", "file:PATH or devdax:PATH", true}},
    .examples = {"daxlab check --media file:/tmp/image", "daxlab check --media devdax:/dev/dax0.0"},
    .notes =
        "Exit code 1 when an invariant does not hold or the medium is damaged; 2 when it bears no label or another version's.",
    .passes_on = false,
    .order = 10,
    .run = check,
}};

}  // namespace
}  // namespace daxlab::harness
