// A JSON value: what records, cell specifications and environment files are made of.
//
// Objects keep the order in which members were set, so that a record reads as it was written. Numbers keep their kind: unsigned,
// signed, real. The heavy parser is behind json.cc.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engines/base/result.h"

namespace daxlab::harness {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  using Value = std::variant<std::monostate, bool, uint64_t, int64_t, double, std::string, Array, Object>;

  Json() = default;
  Json(bool value) : value_(value) {}  // NOLINT: implicit on purpose, as are the others: members are set from plain values
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Json(T value) : value_(static_cast<uint64_t>(value)) {}  // NOLINT
  template <std::signed_integral T>
  Json(T value) : value_(static_cast<int64_t>(value)) {}        // NOLINT
  Json(double value) : value_(value) {}                         // NOLINT
  Json(const char* value) : value_(std::string(value)) {}       // NOLINT
  Json(std::string value) : value_(std::move(value)) {}         // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  Json(Array value) : value_(std::move(value)) {}               // NOLINT
  Json(Object value) : value_(std::move(value)) {}              // NOLINT

  static Json object() { return Json(Object{}); }
  static Json array() { return Json(Array{}); }

  const Value& value() const { return value_; }
  bool is_null() const { return value_.index() == 0; }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return value_.index() == 2 || value_.index() == 3; }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }

  /// Adds or replaces a member; makes a null an object first.
  Json& set(std::string_view key, Json value);
  /// Adds an element; makes a null an array first.
  Json& push(Json value);
  /// The member of an object, or null.
  const Json* find(std::string_view key) const;
  /// The member, or a null value.
  const Json& operator[](std::string_view key) const;

  /// Values with a fallback where the kind is another.
  std::string text(std::string_view fallback = {}) const;
  uint64_t u64(uint64_t fallback = 0) const;
  double real(double fallback = 0) const;
  bool boolean(bool fallback = false) const;
  const Array& elements() const;  ///< Empty unless an array.
  const Object& members() const;  ///< Empty unless an object.

  /// One line, or indented by two spaces.
  std::string dump(bool pretty = false) const;
  /// kUsage with the place and what was wrong.
  static Result<Json> parse(std::string_view text);

 private:
  Value value_;
};

}  // namespace daxlab::harness
