#include "harness/json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace daxlab::harness {
namespace {

using Library = nlohmann::ordered_json;

Library to_library(const Json& json) {
  return std::visit(
      [](const auto& value) -> Library {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<T, Json::Array>) {
          Library out = Library::array();
          for (const Json& element : value) out.push_back(to_library(element));
          return out;
        } else if constexpr (std::is_same_v<T, Json::Object>) {
          Library out = Library::object();
          for (const auto& [key, member] : value) out[key] = to_library(member);
          return out;
        } else {
          return value;
        }
      },
      json.value());
}

Json from_library(const Library& in) {
  switch (in.type()) {
    case Library::value_t::boolean:
      return in.get<bool>();
    case Library::value_t::number_unsigned:
      return in.get<uint64_t>();
    case Library::value_t::number_integer:
      return in.get<int64_t>();
    case Library::value_t::number_float:
      return in.get<double>();
    case Library::value_t::string:
      return in.get<std::string>();
    case Library::value_t::array: {
      Json out = Json::array();
      for (const Library& element : in) out.push(from_library(element));
      return out;
    }
    case Library::value_t::object: {
      Json out = Json::object();
      for (const auto& [key, member] : in.items()) out.set(key, from_library(member));
      return out;
    }
    default:
      return {};
  }
}

}  // namespace

Json& Json::set(std::string_view key, Json value) {
  if (!is_object()) value_ = Object{};
  auto& object = *std::get_if<Object>(&value_);
  for (auto& member : object) {
    if (member.first == key) {
      member.second = std::move(value);
      return *this;
    }
  }
  object.emplace_back(std::string(key), std::move(value));
  return *this;
}

Json& Json::push(Json value) {
  if (!is_array()) value_ = Array{};
  std::get_if<Array>(&value_)->push_back(std::move(value));
  return *this;
}

const Json* Json::find(std::string_view key) const {
  for (const auto& member : members()) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

const Json& Json::operator[](std::string_view key) const {
  static const Json kNothing;
  const Json* found = find(key);
  return found != nullptr ? *found : kNothing;
}

std::string Json::text(std::string_view fallback) const {
  const auto* value = std::get_if<std::string>(&value_);
  return value != nullptr ? *value : std::string(fallback);
}

uint64_t Json::u64(uint64_t fallback) const {
  if (const auto* value = std::get_if<uint64_t>(&value_)) return *value;
  if (const auto* value = std::get_if<int64_t>(&value_); value != nullptr && *value >= 0) return static_cast<uint64_t>(*value);
  return fallback;
}

double Json::real(double fallback) const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<uint64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<int64_t>(&value_)) return static_cast<double>(*value);
  return fallback;
}

bool Json::boolean(bool fallback) const {
  const auto* value = std::get_if<bool>(&value_);
  return value != nullptr ? *value : fallback;
}

const Json::Array& Json::elements() const {
  static const Array kNone;
  const auto* value = std::get_if<Array>(&value_);
  return value != nullptr ? *value : kNone;
}

const Json::Object& Json::members() const {
  static const Object kNone;
  const auto* value = std::get_if<Object>(&value_);
  return value != nullptr ? *value : kNone;
}

std::string Json::dump(bool pretty) const {
  // Bytes that are no UTF-8 (a file name in an error) are replaced, so that a record is always readable.
  return to_library(*this).dump(pretty ? 2 : -1, ' ', false, Library::error_handler_t::replace);
}

Result<Json> Json::parse(std::string_view text) {
  try {
    return from_library(Library::parse(text));
  } catch (const Library::parse_error& error) {
    return Error(Errc::kUsage, fmt::format("JSON, byte {}: not valid", error.byte));
  }
}

}  // namespace daxlab::harness
