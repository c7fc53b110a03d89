// For tests: the part of JSON Schema that results/schema.json uses, enough to hold real records against it.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "harness/json.h"

namespace daxlab::harness {

class SchemaCheck {
 public:
  explicit SchemaCheck(const Json& root) : root_(root) {}

  /// Every way in which `value` breaks the schema.
  std::vector<std::string> check(const Json& value) {
    faults_.clear();
    visit(root_, value, "record");
    return faults_;
  }

 private:
  static bool is_type(const std::string& type, const Json& value) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_bool();
    if (type == "null") return value.is_null();
    if (type == "integer") return value.is_integer();
    return type == "number" && value.is_number();
  }

  void fault(const std::string& at, const std::string& what) { faults_.push_back(at + ": " + what); }

  bool holds(const Json& schema, const Json& value) {
    SchemaCheck trial(root_);
    trial.visit(schema, value, "");
    return trial.faults_.empty();
  }

  void visit(const Json& schema, const Json& value, const std::string& at) {
    if (schema.is_bool()) {
      if (!schema.boolean()) fault(at, "may not be there");
      return;
    }
    if (const Json* reference = schema.find("$ref")) {
      visit(root_["$defs"][reference->text().substr(std::string("#/$defs/").size())], value, at);
    }
    check_type(schema, value, at);
    check_values(schema, value, at);
    if (value.is_object()) check_object(schema, value, at);
    if (value.is_array() && schema.find("items") != nullptr) {
      for (const Json& element : value.elements()) visit(schema["items"], element, at + "[]");
    }
    for (const Json& part : schema["allOf"].elements()) visit(part, value, at);
    if (const Json* condition = schema.find("if")) {
      if (const Json* branch = schema.find(holds(*condition, value) ? "then" : "else")) visit(*branch, value, at);
    }
  }

  void check_type(const Json& schema, const Json& value, const std::string& at) {
    const Json* type = schema.find("type");
    if (type == nullptr) return;
    bool any = type->is_string() && is_type(type->text(), value);
    for (const Json& one : type->elements()) any = any || is_type(one.text(), value);
    if (!any) fault(at, "has another type: " + value.dump());
  }

  void check_values(const Json& schema, const Json& value, const std::string& at) {
    if (const Json* constant = schema.find("const"); constant != nullptr && constant->dump() != value.dump())
      fault(at, "is another value");
    if (const Json* allowed = schema.find("enum")) {
      bool any = false;
      for (const Json& one : allowed->elements()) any = any || one.dump() == value.dump();
      if (!any) fault(at, "is none of the values: " + value.dump());
    }
    if (const Json* least = schema.find("minimum"); least != nullptr && value.is_number() && value.real() < least->real()) {
      fault(at, fmt::format("is below {}", least->dump()));
    }
    if (const Json* least = schema.find("minLength");
        least != nullptr && value.is_string() && value.text().size() < least->u64()) {
      fault(at, "is too short");
    }
  }

  void check_object(const Json& schema, const Json& value, const std::string& at) {
    for (const Json& key : schema["required"].elements()) {
      if (value.find(key.text()) == nullptr) fault(at, "lacks " + key.text());
    }
    const Json& properties = schema["properties"];
    const Json* others = schema.find("additionalProperties");
    for (const auto& [key, member] : value.members()) {
      if (const Json* property = properties.find(key)) {
        visit(*property, member, at + "." + key);
      } else if (others != nullptr) {
        visit(*others, member, at + "." + key);
      }
    }
  }

  const Json& root_;
  std::vector<std::string> faults_;
};

}  // namespace daxlab::harness
