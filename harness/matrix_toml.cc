#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "harness/matrix.h"

namespace daxlab::harness {
namespace {

/// Reads one file: errors carry its name, line and column.
class Reader {
 public:
  explicit Reader(std::string_view source) : source_(source) {}

  Result<MatrixFile> read(const toml::table& root) {
    for (const auto& [key, node] : root) {
      DAXLAB_TRY(member(key.str(), node));
    }
    if (file_.settings.seconds && file_.settings.ops) {
      return Error(Errc::kUsage, fmt::format("{}: give either seconds or ops, not both", source_));
    }
    if (file_.groups.empty()) return Error(Errc::kUsage, fmt::format("{}: no [[cells]] table, so nothing to run", source_));
    return std::move(file_);
  }

 private:
  Error error(const toml::node& node, std::string_view what) const {
    return {Errc::kUsage, fmt::format("{}:{}:{}: {}", source_, node.source().begin.line, node.source().begin.column, what)};
  }

  Result<std::string> scalar(const toml::node& node, std::string_view key) const {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    if (const auto* real = node.as_floating_point()) return fmt::format("{}", real->get());
    if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
    return error(node, fmt::format("'{}' must be a string or a number, or a list of them", key));
  }

  Result<std::vector<std::string>> list(const toml::node& node, std::string_view key) const {
    std::vector<std::string> values;
    if (const auto* array = node.as_array()) {
      for (const toml::node& element : *array) {
        DAXLAB_ASSIGN(std::string value, scalar(element, key));
        values.push_back(std::move(value));
      }
      if (values.empty()) return error(node, fmt::format("'{}' is an empty list", key));
    } else {
      DAXLAB_ASSIGN(std::string value, scalar(node, key));
      values.push_back(std::move(value));
    }
    return values;
  }

  Result<uint64_t> whole(const toml::node& node, std::string_view key, uint64_t min, uint64_t max) const {
    const auto* number = node.as_integer();
    if (number == nullptr || number->get() < static_cast<int64_t>(min) || static_cast<uint64_t>(number->get()) > max) {
      return error(node, fmt::format("'{}' must be a whole number, {} to {}", key, min, max));
    }
    return static_cast<uint64_t>(number->get());
  }

  Result<void> member(std::string_view key, const toml::node& node) {
    if (key == "cells") return cells(node);
    if (key == "name") {
      if (!node.is_string()) return error(node, "'name' must be a string");
      file_.name = node.as_string()->get();
    } else if (key == "media") {
      DAXLAB_ASSIGN(file_.media, list(node, key));
    } else if (key == "engines") {
      DAXLAB_ASSIGN(file_.engines, list(node, key));
    } else if (key == "probe") {
      DAXLAB_ASSIGN(file_.settings.probes, list(node, key));
    } else if (key == "repetitions") {
      DAXLAB_ASSIGN(const uint64_t count, whole(node, key, 1, 1000));
      file_.settings.repetitions = static_cast<uint32_t>(count);
    } else if (key == "ops") {
      DAXLAB_ASSIGN(file_.settings.ops, whole(node, key, 1, uint64_t{1} << 40));
    } else if (key == "seed") {
      DAXLAB_ASSIGN(file_.settings.seed, whole(node, key, 0, INT64_MAX));
    } else if (key == "seconds") {
      const auto seconds = node.value<double>();
      if (!seconds || *seconds < 0.001 || *seconds > 86400) return error(node, "'seconds' must be a number, 0.001 to 86400");
      file_.settings.seconds = *seconds;
    } else {
      DAXLAB_ASSIGN(file_.axes[std::string(key)], list(node, key));
    }
    return {};
  }

  Result<void> cells(const toml::node& node) {
    const auto* array = node.as_array();
    if (array == nullptr) return error(node, "'cells' must be tables: [[cells]]");
    for (const toml::node& element : *array) {
      const auto* table = element.as_table();
      if (table == nullptr) return error(element, "'cells' must be tables: [[cells]]");
      CellGroup group;
      for (const auto& [key, value] : *table) {
        DAXLAB_ASSIGN(std::vector<std::string> values, list(value, key.str()));
        if (key == "workload") {
          group.workloads = std::move(values);
        } else if (key == "engines") {
          group.engines = std::move(values);
        } else {
          group.axes[std::string(key.str())] = std::move(values);
        }
      }
      if (group.workloads.empty()) return error(element, "this [[cells]] table names no workload");
      file_.groups.push_back(std::move(group));
    }
    return {};
  }

  std::string source_;
  MatrixFile file_;
};

}  // namespace

Result<MatrixFile> parse_matrix(std::string_view toml, std::string_view source) {
  try {
    return Reader(source).read(toml::parse(toml, source));
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    std::string what(error.description());
    std::replace(what.begin(), what.end(), '\n', ' ');
    return Error(Errc::kUsage, fmt::format("{}:{}:{}: {}", source, at.line, at.column, what));
  }
}

Result<MatrixFile> read_matrix(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    return Error(Errc::kUsage, fmt::format("{}: cannot read this matrix file", path));
  }
  return parse_matrix(text.str(), path);
}

}  // namespace daxlab::harness
