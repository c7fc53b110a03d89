#include "engines/pmem/crash_choice.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

#include "engines/base/random.h"

namespace daxlab::pmem::detail {

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t end = text.find(separator);
    fields.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + 1);
  }
}

template <typename T>
std::optional<T> number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Choice> parse_part(const std::vector<std::string_view>& fields) {
  if (fields.size() != 6 || (fields[5] != "all" && fields[5] != "none")) return std::nullopt;
  const auto line = number<uint32_t>(fields[1]);
  const auto full = number<uint32_t>(fields[2]);
  const auto next = number<uint8_t>(fields[3], 16);
  const auto streamed = number<uint8_t>(fields[4], 16);
  if (!line || !full || !next || !streamed) return std::nullopt;
  Choice choice;
  choice.kind = Choice::Kind::kPart;
  choice.first = *line;
  choice.part = {*full, *next, *streamed};
  choice.others_all = fields[5] == "all";
  return choice;
}

std::optional<Choice> parse_set(std::string_view text) {
  Choice choice;
  choice.kind = Choice::Kind::kSet;
  for (const std::string_view field : split(text, '.')) {
    const auto line = number<uint32_t>(field);
    if (!line || (!choice.set.empty() && choice.set.back() >= *line)) return std::nullopt;
    choice.set.push_back(*line);
  }
  return choice;
}

std::optional<Choice> parse_any(std::string_view text) {
  const std::vector<std::string_view> fields = split(text, '-');
  Choice choice;
  if (text == "none") return choice;
  if (text == "all") {
    choice.kind = Choice::Kind::kAll;
    return choice;
  }
  if (fields[0] == "part") return parse_part(fields);
  if (fields.size() == 2 && fields[0] == "set") return parse_set(fields[1]);
  if (fields.size() == 2 && fields[0] == "random") {
    const auto seed = number<uint64_t>(fields[1], 16);
    choice.kind = Choice::Kind::kRandom;
    choice.seed = seed.value_or(0);
    return seed ? std::optional(choice) : std::nullopt;
  }
  if (fields.size() == 2 && (fields[0] == "one" || fields[0] == "but")) {
    const auto line = number<uint32_t>(fields[1]);
    choice.kind = fields[0] == "one" ? Choice::Kind::kOne : Choice::Kind::kBut;
    choice.first = line.value_or(0);
    return line ? std::optional(choice) : std::nullopt;
  }
  if (fields.size() == 3 && fields[0] == "two") {
    const auto first = number<uint32_t>(fields[1]);
    const auto second = number<uint32_t>(fields[2]);
    choice.kind = Choice::Kind::kTwo;
    choice.first = first.value_or(0);
    choice.second = second.value_or(0);
    return first && second ? std::optional(choice) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::string Choice::to_string() const {
  std::array<char, 64> text{};
  switch (kind) {
    case Kind::kNone:
      return "none";
    case Kind::kAll:
      return "all";
    case Kind::kOne:
      return "one-" + std::to_string(first);
    case Kind::kBut:
      return "but-" + std::to_string(first);
    case Kind::kTwo:
      return "two-" + std::to_string(first) + '-' + std::to_string(second);
    case Kind::kPart:
      std::snprintf(text.data(), text.size(), "part-%u-%u-%02x-%02x-%s", first, part.full, static_cast<unsigned>(part.next_words),
                    static_cast<unsigned>(part.stream_words), others_all ? "all" : "none");
      return text.data();
    case Kind::kRandom:
      std::snprintf(text.data(), text.size(), "random-%llx", static_cast<unsigned long long>(seed));
      return text.data();
    case Kind::kSet:
      break;
  }
  std::string list = "set-";
  for (const uint32_t line : set) list += (list.size() == 4 ? "" : ".") + std::to_string(line);
  return list;
}

Result<Choice> Choice::parse(std::string_view text, size_t line_count) {
  std::optional<Choice> choice = parse_any(text);
  if (!choice)
    return Error(Errc::kUsage,
                 "'" + std::string(text) + "' is no image: none, all, one-N, but-N, two-N-M, part-..., set-... or random-...");
  const bool by_line =
      choice->kind == Kind::kOne || choice->kind == Kind::kBut || choice->kind == Kind::kPart || choice->kind == Kind::kTwo;
  const uint32_t highest = choice->kind == Kind::kSet ? choice->set.back() : std::max(choice->first, choice->second);
  if ((by_line || choice->kind == Kind::kSet) && highest >= line_count) {
    return Error(Errc::kUsage,
                 "'" + std::string(text) + "' names line " + std::to_string(highest) + " of " + std::to_string(line_count));
  }
  return *std::move(choice);
}

LineChoice Choice::of(uint32_t rank) const {
  const auto if_true = [](bool chosen) { return chosen ? kEverything : kNothing; };
  switch (kind) {
    case Kind::kNone:
      return kNothing;
    case Kind::kAll:
      return kEverything;
    case Kind::kOne:
      return if_true(rank == first);
    case Kind::kBut:
      return if_true(rank != first);
    case Kind::kTwo:
      return if_true(rank == first || rank == second);
    case Kind::kPart:
      return rank == first ? part : if_true(others_all);
    case Kind::kSet:
      return if_true(std::binary_search(set.begin(), set.end(), rank));
    case Kind::kRandom:
      return if_true((Random::mix(seed, rank) & 1) != 0);
  }
  return kNothing;
}

}  // namespace daxlab::pmem::detail
