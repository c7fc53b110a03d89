#include "harness/matrix.h"

#include <fmt/format.h>

#include <algorithm>

#include "engines/base/random.h"

namespace daxlab::harness {

Result<std::vector<std::string>> split_list(std::string_view text, std::string_view what) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ',') {
      parts.back() += text[++i];
    } else if (text[i] == ',') {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  for (const std::string& part : parts) {
    if (part.empty()) return Error(Errc::kUsage, fmt::format("{} '{}' has an empty part; write A,B,C", what, text));
  }
  return parts;
}

Result<void> parse_set(std::string_view text, AxisLists& axes) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Error(Errc::kUsage, fmt::format("--set '{}' is not AXIS=LIST, for example block_bytes=4KiB,64KiB", text));
  }
  const std::string axis(text.substr(0, equals));
  DAXLAB_ASSIGN(axes[axis], split_list(text.substr(equals + 1), "--set " + axis));
  return {};
}

Result<void> check_axis_owners() {
  std::map<std::string, std::string> owner{{"threads", "the harness"}, {"crossing", "the harness"}};
  for (const WorkloadType* workload : workload_types()) {
    for (const AxisSpec& axis : workload->axes()) {
      const auto [at, fresh] = owner.emplace(axis.name, "workloads");
      if (!fresh && at->second != "workloads") {
        return Error(Errc::kUsage,
                     fmt::format("axis '{}' of workload {} is also one of {}", axis.name, workload->name(), at->second));
      }
    }
  }
  for (const EngineType* engine : engine_types()) {
    for (const OptionSpec& option : engine->options()) {
      const auto [at, fresh] = owner.emplace(option.name, "engines");
      if (!fresh && at->second != "engines") {
        return Error(Errc::kUsage,
                     fmt::format("option '{}' of engine {} is also an axis of {}", option.name, engine->name(), at->second));
      }
    }
  }
  return {};
}

std::vector<Job> Matrix::jobs() const {
  Random random(Random::mix(seed, 0x0de2));
  const auto shuffle = [&](std::vector<Job>& list) {
    for (size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[random.below(i)]);
  };
  std::vector<Job> all;
  for (size_t cell = 0; cell < cells.size(); ++cell) {
    for (uint32_t repetition = 0; repetition < repetitions; ++repetition) all.push_back({cell, Kind::kPlain, repetition});
  }
  shuffle(all);
  for (const Kind kind : {Kind::kAccounted, Kind::kTraced}) {
    if (kind == Kind::kTraced && probes.empty()) continue;
    std::vector<Job> twins;
    for (size_t cell = 0; cell < cells.size(); ++cell) twins.push_back({cell, kind, 0});
    shuffle(twins);
    all.insert(all.end(), twins.begin(), twins.end());
  }
  return all;
}

std::string Matrix::hash() const {
  // Sixteen digits of FNV-1a over everything that decides which records a run must hold.
  uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  };
  for (const Cell& cell : cells) add(cell.id() + "\n");
  add(fmt::format("{} {} {} {} {}", repetitions, seconds, ops, seed, fmt::join(probes, ",")));
  return fmt::format("{:016x}", hash);
}

}  // namespace daxlab::harness
