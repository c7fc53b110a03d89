#include "engines/pmem/media_spec.h"

#include <charconv>

#include "engines/base/units.h"
#include "engines/pmem/emulation.h"

namespace daxlab::pmem {

namespace {

Error usage(std::string detail) { return {Errc::kUsage, std::move(detail)}; }

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

constexpr const char* kForms = "dram:SIZE, file:PATH:SIZE or devdax:PATH";

Result<MediaSpec> parse_place(std::string_view place) {
  MediaSpec spec;
  const size_t colon = place.find(':');
  const std::string_view kind = place.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? std::string_view() : place.substr(colon + 1);
  if (kind == "dram") {
    spec.kind = MediaKind::kDram;
    DAXLAB_ASSIGN(spec.size_bytes, parse_size(rest));
    if (spec.size_bytes == 0) return usage("medium " + quoted(place) + " has no size: dram:SIZE is wanted");
    return spec;
  }
  if (kind != "file" && kind != "devdax") return usage("medium " + quoted(place) + " is none of " + kForms);
  spec.kind = kind == "file" ? MediaKind::kFile : MediaKind::kDevdax;
  spec.path = rest;
  if (spec.kind == MediaKind::kFile) {
    // The size is what follows the last colon, if that is a size: a path may hold colons, and an existing file needs no size.
    const size_t last = rest.rfind(':');
    if (last != std::string_view::npos) {
      const Result<uint64_t> size = parse_size(rest.substr(last + 1));
      if (size.ok()) {
        spec.size_bytes = *size;
        spec.path = rest.substr(0, last);
      }
    }
  }
  if (spec.path.empty()) return usage("medium " + quoted(place) + " names no path: " + kForms + " is wanted");
  return spec;
}

Result<void> parse_option(std::string_view option, MediaSpec& spec) {
  const size_t equals = option.find('=');
  const std::string_view key = option.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? std::string_view() : option.substr(equals + 1);
  if (key == "profile") {
    DAXLAB_TRY(find_profile(value));
    spec.profile = value;
  } else if (key == "run") {
    DAXLAB_ASSIGN(spec.run, parse_run(value));
  } else if (key == "seed") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), spec.seed);
    if (error != std::errc{} || end != value.data() + value.size()) {
      return usage("seed " + quoted(value) + " is not a whole number");
    }
  } else {
    return usage("a medium has no option " + quoted(key) + ": profile, run and seed are known");
  }
  return {};
}

bool is_run_size(uint64_t size_bytes) { return size_bytes >= kBlockBytes && (size_bytes & (size_bytes - 1)) == 0; }

}  // namespace

Result<MediaSpec> MediaSpec::parse(std::string_view text) {
  const size_t mark = text.find('?');
  DAXLAB_ASSIGN(MediaSpec spec, parse_place(text.substr(0, mark)));
  if (mark == std::string_view::npos) return spec;
  std::string_view rest = text.substr(mark + 1);
  while (true) {
    const size_t end = rest.find('&');
    DAXLAB_TRY(parse_option(rest.substr(0, end), spec));
    if (end == std::string_view::npos) return spec;
    rest.remove_prefix(end + 1);
  }
}

std::string MediaSpec::to_string() const {
  std::string text = name(kind);
  if (!path.empty()) text += ':' + path;
  if (size_bytes != 0 && kind != MediaKind::kDevdax) text += ':' + format_size(size_bytes);
  const MediaSpec defaults;
  std::string options;
  if (profile != defaults.profile) options += "&profile=" + profile;
  if (run != defaults.run) options += "&run=" + pmem::to_string(run);
  if (seed != defaults.seed) options += "&seed=" + std::to_string(seed);
  if (!options.empty()) options[0] = '?';
  return text + options;
}

std::string MediaSpec::identity() const {
  return std::string(name(kind)) + ':' + format_size(size_bytes) + "?profile=" + profile + "&run=" + pmem::to_string(run) +
         "&seed=" + std::to_string(seed);
}

Result<RunSpec> parse_run(std::string_view text) {
  constexpr std::string_view kStripe = "stripe-";
  if (text == "linear") return RunSpec{};
  if (text == "hole") return RunSpec{RunSpec::Kind::kHole, 0};
  const bool stripe = text.substr(0, kStripe.size()) == kStripe;
  const Result<uint64_t> size = parse_size(stripe ? text.substr(kStripe.size()) : text);
  if (!size.ok() || !is_run_size(*size)) {
    return usage("run " + quoted(text) + " is none of linear, hole, SIZE or stripe-SIZE, SIZE a power of two from 4KiB up");
  }
  return RunSpec{stripe ? RunSpec::Kind::kStripe : RunSpec::Kind::kShuffled, *size};
}

std::string to_string(const RunSpec& run) {
  switch (run.kind) {
    case RunSpec::Kind::kLinear:
      return "linear";
    case RunSpec::Kind::kShuffled:
      return format_size(run.run_bytes);
    case RunSpec::Kind::kStripe:
      return "stripe-" + format_size(run.run_bytes);
    case RunSpec::Kind::kHole:
      return "hole";
  }
  return "unknown";
}

const char* name(MediaKind kind) {
  switch (kind) {
    case MediaKind::kDram:
      return "dram";
    case MediaKind::kFile:
      return "file";
    case MediaKind::kDevdax:
      return "devdax";
  }
  return "unknown";
}

}  // namespace daxlab::pmem
