#include "harness/guest/file_systems.h"

#include <fmt/format.h>

#include <algorithm>

#include "engines/api/registry.h"
#include "engines/base/random.h"
#include "engines/base/units.h"

namespace daxlab::harness {
namespace {

using Kind = OptionSpec::Kind;

OptionSpec choice(const char* name, std::vector<std::string> values, const char* help) {
  return {.name = name, .kind = Kind::kEnum, .values = values, .min = 0, .max = 0, .default_value = values.front(), .help = help};
}

std::vector<OptionSpec> options_of(std::string_view name) {
  if (name == "ext4-dax") {
    return {choice("journal", {"on", "fast", "none"}, "jbd2, jbd2 with fast commits, or no journal"),
            choice("dirsync", {"off", "on"}, "directory changes are durable when the call returns")};
  }
  return {choice("dirblock", {"4KiB", "64KiB"}, "size of directory blocks"), choice("reflink", {"on", "off"}, "shared extents"),
          choice("wsync", {"off", "on"}, "every transaction is synchronous"),
          choice("lsunit", {"4KiB", "512", "32KiB", "256KiB"}, "log writes are rounded to this")};
}

std::string known() { return "ext4-dax, xfs-dax"; }

std::string base_name(std::string_view text) { return std::string(text.substr(0, text.find(':'))); }

/// A UUID of a seed and a number.
std::string uuid(uint64_t seed, uint64_t number) {
  const uint64_t high = Random::mix(seed, 2 * number);
  const uint64_t low = Random::mix(seed, 2 * number + 1);
  return fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xfff, low >> 48 & 0xfff,
                     low & 0xffffffffffff);
}

}  // namespace

bool names_file_system(std::string_view text) {
  const std::string name = base_name(text);
  return name == "ext4-dax" || name == "xfs-dax";
}

Result<FileSystem> parse_file_system(std::string_view text) {
  FileSystem fs;
  fs.name = base_name(text);
  if (!names_file_system(text))
    return Error(Errc::kUsage, fmt::format("unknown file system '{}'; there is: {}", fs.name, known()));
  const std::vector<OptionSpec> specs = options_of(fs.name);
  for (const OptionSpec& spec : specs) fs.options[spec.name] = spec.default_value;
  std::string_view rest = text.substr(std::min(text.size(), fs.name.size() + 1));
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const size_t equals = part.find('=');
    const std::string option(part.substr(0, equals));
    const auto spec = std::ranges::find(specs, option, &OptionSpec::name);
    if (spec == specs.end() || equals == std::string_view::npos) {
      std::string names;
      for (const OptionSpec& known_spec : specs) names += (names.empty() ? "" : ", ") + known_spec.name;
      return Error(Errc::kUsage, fmt::format("{}: no option '{}'; there is: {}", fs.name, part, names));
    }
    DAXLAB_ASSIGN(fs.options[option], check_option(*spec, part.substr(equals + 1)));
  }
  return fs;
}

std::string FileSystem::to_string() const {
  std::string text = name;
  for (const OptionSpec& spec : options_of(name)) {
    if (options.at(spec.name) != spec.default_value) text += fmt::format(":{}={}", spec.name, options.at(spec.name));
  }
  return text;
}

std::string FileSystem::mkfs(uint64_t seed) const {
  if (name == "ext4-dax") {
    const std::string& journal = options.at("journal");
    const char* feature = journal == "none" ? "-O ^has_journal" : journal == "fast" ? "-O fast_commit" : "-O has_journal";
    return fmt::format("-q -F -b 4096 {} -U {} -E lazy_itable_init=0,lazy_journal_init=0,hash_seed={}", feature, uuid(seed, 0),
                       uuid(seed, 1));
  }
  // Data extents on 2 MiB boundaries; a stripe unit makes mkfs.xfs round the log to 32 KiB unless it is told otherwise.
  const std::string& lsunit = options.at("lsunit");
  const std::string log = lsunit == "512" ? "-s size=512 -d noalign" : fmt::format("-d su=2m,sw=1 -l su={}", *parse_size(lsunit));
  return fmt::format("-q -f -m uuid={},reflink={} -n size={} {}", uuid(seed, 0), options.at("reflink") == "on" ? 1 : 0,
                     *parse_size(options.at("dirblock")), log);
}

std::string FileSystem::mount_options() const {
  std::string text = "dax=always";
  for (const char* flag : {"dirsync", "wsync"}) {
    const auto found = options.find(flag);
    if (found != options.end() && found->second == "on") text += fmt::format(",{}", flag);
  }
  return text;
}

}  // namespace daxlab::harness
