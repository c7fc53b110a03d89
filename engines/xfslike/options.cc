#include "engines/xfslike/options.h"

#include <algorithm>
#include <sstream>

#include <fmt/core.h>

#include "engines/base/units.h"
#include "engines/xfslike/parts.h"

namespace daxlab::xfslike {

namespace {

OptionSpec choice(std::string name, std::vector<std::string> values, std::string help) {
  OptionSpec spec;
  spec.name = std::move(name);
  spec.default_value = values.front();
  spec.values = std::move(values);
  spec.help = std::move(help);
  return spec;
}

OptionSpec number(std::string name, OptionSpec::Kind kind, uint64_t min, uint64_t max, std::string value, std::string help) {
  OptionSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  spec.min = min;
  spec.max = max;
  spec.default_value = std::move(value);
  spec.help = std::move(help);
  return spec;
}

std::vector<OptionSpec> core_specs() {
  using Kind = OptionSpec::Kind;
  std::vector<std::string> logs = log_placement_names();
  logs.push_back("none");
  OptionSpec durability = choice("durability", {"fsync", "op", "batch:N"}, "a change is durable at fsync, when its operation returns, or with every Nth");
  durability.min = 1;
  durability.max = 1 << 20;
  return {
      choice("log", std::move(logs), "where log bytes go; none: no journal, unsafe"),
      choice("format", {"v2", "v3"}, "log records with a cycle stamp every 512 bytes, or with checksums only"),
      choice("meta", {"buffer", "overlay", "unsafe"}, "metadata in DRAM copies; in place under a DRAM overlay; changed in place, unsafe"),
      choice("map", buffer_mapping_names(), "how a metadata object of several blocks is made addressable"),
      choice("lsunit", {"512", "4KiB", "32KiB"}, "what a log write is rounded up to"),
      choice("push", {"worker", "inline"}, "checkpoints are written by a thread, or by who needs one"),
      choice("completion", {"worker", "inline"}, "log writes are completed by a thread, or by who wrote them"),
      choice("background", {"threads", "inline"}, "inline: no threads at all, push and completion included"),
      std::move(durability),
      choice("relog", {"on", "off"}, "off: an item that is logged again is written again"),
      number("log_size", Kind::kSize, 0, 2 * kGiB, "0", "the log; 0: a sixteenth of the medium, 1 to 64 MiB"),
      choice("log_run", {"linear", "4KiB", "16KiB", "64KiB", "256KiB", "2MiB", "stripe-64KiB", "stripe-256KiB", "hole"},
             "how the log lies on its blocks"),
      choice("meta_run", {"linear", "4KiB", "8KiB", "16KiB", "32KiB"}, "the longest piece of a metadata object of several blocks"),
      number("iclog_size", Kind::kSize, 16 * kKiB, 256 * kKiB, "32KiB", "one in-core log buffer, a power of two"),
      number("iclogs", Kind::kInteger, 2, 8, "8", "in-core log buffers"),
      choice("dirblock", {"4KiB", "8KiB", "16KiB", "32KiB", "64KiB"}, "directory blocks"),
      number("ags", Kind::kInteger, 1, 64, "4", "allocation groups"),
      number("cache_size", Kind::kSize, 64 * kKiB, 0, "64MiB", "metadata objects that stay in the cache, times their size"),
      choice("quota", {"off", "on"}, "account blocks and inodes by user and group"),
      choice("policy", {"entry-lock", "exclusive"}, "locks between faults and writes of a mapped file"),
      choice("mmu", {"auto", "uffd", "sigsegv", "soft"}, "page tables of mapped files"),
  };
}

/// Options that are the medium's, not the mount's.
constexpr const char* kFormatOptions[] = {"format", "lsunit", "log_size", "log_run", "meta_run", "dirblock", "ags"};

bool power_of_two(uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

/// Room for a few of the largest transactions, which change some ten directory blocks twice. (XFS: xfs_log_calc_minimum_size(),
/// fs/xfs/libxfs/xfs_log_rlimit.c.)
uint64_t least_log_bytes(uint32_t dirblock_bytes) { return std::max<uint64_t>(kMiB, uint64_t{64} * dirblock_bytes); }

uint32_t size_in(const std::string& text) { return static_cast<uint32_t>(parse_size(text).value()); }

void parse_media(const Options& options, CoreOptions& core) {
  core.format = options.is("format", "v3") ? LogFormat::kV3 : LogFormat::kV2;
  core.log_unit_bytes = size_in(options.get("lsunit"));
  core.log_bytes = options.integer("log_size");
  core.log_run = pmem::parse_run(options.get("log_run")).value();
  core.meta_run_bytes = options.is("meta_run", "linear") ? 0 : size_in(options.get("meta_run"));
  core.dirblock_bytes = size_in(options.get("dirblock"));
  core.ags = static_cast<uint32_t>(options.integer("ags"));
}

}  // namespace

std::vector<OptionSpec> option_specs(const OptionChoices& choices) {
  std::vector<OptionSpec> specs = core_specs();
  for (const auto& [name, value] : choices) {
    const auto spec = std::find_if(specs.begin(), specs.end(), [&name = name](const OptionSpec& s) { return s.name == name; });
    DAXLAB_CHECK(spec != specs.end());
    spec->default_value = value;
  }
  return specs;
}

Result<CoreOptions> parse_options(const Options& options) {
  CoreOptions core;
  parse_media(options, core);
  core.log = options.get("log");
  core.meta = options.is("meta", "buffer") ? MetaMode::kBuffer : options.is("meta", "overlay") ? MetaMode::kOverlay : MetaMode::kUnsafe;
  core.map = options.get("map");
  core.background_inline = options.is("background", "inline");
  core.push_inline = core.background_inline || options.is("push", "inline");
  core.completion_inline = core.background_inline || options.is("completion", "inline");
  core.batch_operations = options.number_in("durability");
  core.durability = options.is("durability", "op")      ? Durability::kOp
                    : options.is("durability", "fsync") ? Durability::kFsync
                                                        : Durability::kBatch;
  core.relog = options.is("relog", "on");
  core.iclog_bytes = static_cast<uint32_t>(options.integer("iclog_size"));
  core.iclogs = static_cast<uint32_t>(options.integer("iclogs"));
  core.cache_bytes = options.integer("cache_size");
  core.quota = options.is("quota", "on");
  core.mmu = options.get("mmu");
  DAXLAB_ASSIGN(core.policy, dax::parse_policy(options.get("policy")));
  if (!power_of_two(core.iclog_bytes)) return Error(Errc::kUsage, "iclog_size is a power of two");
  if (core.iclog_bytes < core.log_unit_bytes) return Error(Errc::kUsage, "iclog_size is at least lsunit");
  const uint64_t log_run_bytes = core.log_run.run_bytes;
  if (core.log_bytes != 0 && core.log_bytes < std::max<uint64_t>(256 * kKiB, 2 * log_run_bytes)) {
    return Error(Errc::kUsage, "log_size is at least 256 KiB and twice log_run");
  }
  if (core.meta_run_bytes != 0 && core.map == "contig" && core.dirblock_bytes > core.meta_run_bytes) {
    return Error(Errc::kUsage, fmt::format("map=contig cannot address a directory block of {} in pieces of {}",
                                           format_size(core.dirblock_bytes), format_size(core.meta_run_bytes)));
  }
  return core;
}

Result<CoreOptions> parse_options(const Options& options, const std::string& label_options) {
  Options resolved = options;
  std::istringstream text(label_options);
  for (std::string part; std::getline(text, part, ':');) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos) continue;  // the number of a batch:N
    const std::string name = part.substr(0, equals);
    const bool of_medium = std::any_of(std::begin(kFormatOptions), std::end(kFormatOptions), [&](const char* o) { return name == o; });
    if (of_medium) resolved.set(name, part.substr(equals + 1));
  }
  for (const OptionSpec& spec : core_specs()) {
    if (!check_option(spec, resolved.get(spec.name)).ok()) {
      return Error(Errc::kCorrupt, fmt::format("the label says {}={}", spec.name, resolved.get(spec.name)));
    }
  }
  return parse_options(resolved);
}

uint64_t log_bytes_for(const CoreOptions& options, uint64_t size_bytes) {
  if (options.log_bytes != 0) return align_down(options.log_bytes, kBlockBytes);
  return align_down(std::clamp<uint64_t>(size_bytes / 16, least_log_bytes(options.dirblock_bytes), 64 * kMiB), kBlockBytes);
}

}  // namespace daxlab::xfslike
