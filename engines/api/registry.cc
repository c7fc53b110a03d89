#include "engines/api/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "engines/base/check.h"
#include "engines/base/units.h"

namespace daxlab {
namespace {

using TypesByName = std::map<std::string, std::unique_ptr<EngineType>, std::less<>>;

/// Function-local, so that it exists when the first engine registers, whatever the order of static initialisation.
TypesByName& types_by_name() {
  static TypesByName types;
  return types;
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

Error unknown_engine(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& [known, type] : types_by_name()) names.push_back(known);
  return Error(Errc::kUsage, fmt::format("unknown engine '{}': there is {}", name, joined(names)));
}

bool parse_number(std::string_view text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string range_of(const OptionSpec& spec) {
  const auto shown = [&](uint64_t value) {
    return spec.kind == OptionSpec::Kind::kSize ? format_size(value) : std::to_string(value);
  };
  if (spec.max == 0) return fmt::format("{} or more", shown(spec.min));
  return fmt::format("{} to {}", shown(spec.min), shown(spec.max));
}

bool in_range(const OptionSpec& spec, uint64_t number) { return number >= spec.min && (spec.max == 0 || number <= spec.max); }

Result<std::string> check_enum(const OptionSpec& spec, std::string_view value) {
  for (const std::string& allowed : spec.values) {
    if (!allowed.ends_with(":N")) {
      if (value == allowed) return allowed;
      continue;
    }
    const std::string_view stem(allowed.data(), allowed.size() - 1);  // "batch:"
    if (!value.starts_with(stem)) continue;
    uint64_t number = 0;
    if (parse_number(value.substr(stem.size()), number) && in_range(spec, number)) return fmt::format("{}{}", stem, number);
    return Error(Errc::kUsage, fmt::format("{}={}: N is {}", spec.name, value, range_of(spec)));
  }
  return Error(Errc::kUsage, fmt::format("{}={}: the values are {}", spec.name, value, joined(spec.values)));
}

Result<std::string> check_number(const OptionSpec& spec, std::string_view value) {
  uint64_t number = 0;
  if (spec.kind == OptionSpec::Kind::kSize) {
    const Result<uint64_t> size = parse_size(value);
    if (!size.ok()) return Error(Errc::kUsage, fmt::format("{}={}: a size, {}", spec.name, value, range_of(spec)));
    number = *size;
  } else if (!parse_number(value, number)) {
    return Error(Errc::kUsage, fmt::format("{}={}: a number, {}", spec.name, value, range_of(spec)));
  }
  if (!in_range(spec, number))
    return Error(Errc::kUsage, fmt::format("{}={}: out of range, {}", spec.name, value, range_of(spec)));
  return spec.kind == OptionSpec::Kind::kSize ? format_size(number) : std::to_string(number);
}

/// "data=cow:durability=batch:16" -> {"data=cow", "durability=batch:16"}: a part without '=' belongs to the value before it.
Result<std::vector<std::string>> split_options(std::string_view text, std::string_view engine) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = std::min(text.find(':'), text.size());
    const std::string_view part = text.substr(0, end);
    if (part.find('=') != std::string_view::npos) {
      parts.emplace_back(part);
    } else if (parts.empty()) {
      return Error(Errc::kUsage, fmt::format("'{}' after '{}:' is not option=value", part, engine));
    } else {
      parts.back() += fmt::format(":{}", part);
    }
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<void> apply_option(EngineSpec& spec, const std::vector<OptionSpec>& known, std::vector<std::string>& given,
                          std::string_view part) {
  const size_t equals = part.find('=');
  const std::string name(part.substr(0, equals));
  const auto option = std::find_if(known.begin(), known.end(), [&](const OptionSpec& o) { return o.name == name; });
  if (option == known.end()) {
    std::vector<std::string> names;
    for (const OptionSpec& o : known) names.push_back(o.name);
    return Error(Errc::kUsage, fmt::format("engine '{}' has no option '{}': {}", spec.type->name(), name,
                                           names.empty() ? "it has none" : "it has " + joined(names)));
  }
  if (std::find(given.begin(), given.end(), name) != given.end()) {
    return Error(Errc::kUsage, fmt::format("engine '{}': option '{}' is given twice", spec.type->name(), name));
  }
  given.push_back(name);
  Result<std::string> value = check_option(*option, part.substr(equals + 1));
  if (!value.ok()) return Error(Errc::kUsage, fmt::format("engine '{}': {}", spec.type->name(), value.error().message()));
  spec.options.set(name, *std::move(value));
  return {};
}

Result<void> check_label(std::string_view label, std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  if (!label.empty() && std::all_of(label.begin(), label.end(), allowed)) return {};
  return Error(Errc::kUsage, fmt::format("engine '{}': a label is letters, digits, '-', '_' and '.' after '@'", text));
}

}  // namespace

namespace detail {

void register_engine(std::unique_ptr<EngineType> type) {
  std::string name = type->name();
  const bool inserted = types_by_name().emplace(std::move(name), std::move(type)).second;
  DAXLAB_CHECK(inserted);  // two engines of one name
}

}  // namespace detail

const std::string& Options::get(const std::string& name) const {
  const auto found = values_.find(name);
  DAXLAB_CHECK(found != values_.end());
  return found->second;
}

uint64_t Options::integer(const std::string& name) const {
  const Result<uint64_t> number = parse_size(get(name));
  DAXLAB_CHECK(number.ok());  // check_option() let it in
  return *number;
}

uint64_t Options::number_in(const std::string& name) const {
  const std::string& value = get(name);
  const size_t colon = value.find(':');
  uint64_t number = 0;
  if (colon != std::string::npos) DAXLAB_CHECK(parse_number(std::string_view(value).substr(colon + 1), number));
  return number;
}

std::string Options::to_string() const {
  std::string text;
  for (const auto& [name, value] : values_)
    fmt::format_to(std::back_inserter(text), "{}{}={}", text.empty() ? "" : ":", name, value);
  return text;
}

std::string EngineSpec::to_string() const {
  std::string text = type->name();
  if (!label.empty()) text += "@" + label;
  for (const OptionSpec& option : type->options()) {
    const std::string& value = options.get(option.name);
    if (value != option.default_value) fmt::format_to(std::back_inserter(text), ":{}={}", option.name, value);
  }
  return text;
}

std::vector<const EngineType*> engine_types() {
  std::vector<const EngineType*> types;
  for (const auto& [name, type] : types_by_name()) types.push_back(type.get());
  return types;
}

Result<EngineSpec> parse_engine(std::string_view text) {
  const size_t colon = std::min(text.find(':'), text.size());
  const std::string_view head = text.substr(0, colon);
  const size_t at = head.find('@');
  const std::string_view name = head.substr(0, at);
  const auto found = types_by_name().find(name);
  if (found == types_by_name().end()) return unknown_engine(name);

  EngineSpec spec;
  spec.type = found->second.get();
  if (at != std::string_view::npos) {
    spec.label = head.substr(at + 1);
    DAXLAB_TRY(check_label(spec.label, text));
  }
  const std::vector<OptionSpec> known = spec.type->options();
  for (const OptionSpec& option : known) spec.options.set(option.name, option.default_value);
  if (colon == text.size()) return spec;

  DAXLAB_ASSIGN(const std::vector<std::string> parts, split_options(text.substr(colon + 1), name));
  std::vector<std::string> given;
  for (const std::string& part : parts) DAXLAB_TRY(apply_option(spec, known, given, part));
  return spec;
}

Result<std::string> check_option(const OptionSpec& spec, std::string_view value) {
  switch (spec.kind) {
    case OptionSpec::Kind::kEnum:
      return check_enum(spec, value);
    case OptionSpec::Kind::kSize:
    case OptionSpec::Kind::kInteger:
      return check_number(spec, value);
    case OptionSpec::Kind::kPath:
      break;
  }
  if (value.empty()) return Error(Errc::kUsage, fmt::format("{}=: the path is missing", spec.name));
  return std::string(value);
}

}  // namespace daxlab
