#include <cmath>
#include <set>

#include "base/json.h"
#include "tests/fakes/apiserver/schema_rules.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;
using Causes = std::vector<FieldCause>;

std::string TypeName(const json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "boolean";
  if (value.is_number_integer()) return "integer";
  if (value.is_number()) return "number";
  if (value.is_string()) return "string";
  return value.is_array() ? "array" : "object";
}

bool HasType(const Schema& schema, const json& value) {
  if (value.is_null()) return schema.nullable || schema.type.empty();
  if (schema.int_or_string) return value.is_string() || value.is_number_integer();
  if (schema.type.empty()) return true;
  if (schema.type == "integer") {
    return value.is_number_integer() ||
           (value.is_number() && std::floor(value.get<double>()) == value.get<double>());
  }
  if (schema.type == "number") return value.is_number();
  return schema.type == TypeName(value);
}

void Add(Causes& causes, const char* reason, const std::string& path, std::string message) {
  causes.push_back({.reason = reason, .message = std::move(message), .field = path});
}

void AddInvalid(Causes& causes, const std::string& path, const std::string& value,
                const std::string& what) {
  Add(causes, "FieldValueInvalid", path,
      "Invalid value: " + value + ": " + path + " in body " + what);
}

std::string Number(double value) {
  return std::floor(value) == value ? std::to_string(static_cast<long long>(value))
                                    : DumpJson(json(value));
}

void ValidateNumber(const Schema& schema, const json& value, const std::string& path,
                    Causes& causes) {
  const double number = value.get<double>();
  if (schema.minimum &&
      (number < *schema.minimum || (schema.exclusive_minimum && number <= *schema.minimum))) {
    AddInvalid(causes, path, DumpJson(value),
               std::string("should be greater than ") +
                   (schema.exclusive_minimum ? "" : "or equal to ") + Number(*schema.minimum));
  }
  if (schema.maximum &&
      (number > *schema.maximum || (schema.exclusive_maximum && number >= *schema.maximum))) {
    AddInvalid(causes, path, DumpJson(value),
               std::string("should be less than ") +
                   (schema.exclusive_maximum ? "" : "or equal to ") + Number(*schema.maximum));
  }
}

// Characters, not bytes.
std::size_t Length(const std::string& text) {
  std::size_t length = 0;
  for (const char c : text) length += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return length;
}

void ValidateString(const Schema& schema, const json& value, const std::string& path,
                    Causes& causes) {
  const auto& text = value.get_ref<const std::string&>();
  if (schema.max_length && Length(text) > *schema.max_length) {
    Add(causes, "FieldValueTooLong", path,
        "Too long: may not be more than " + std::to_string(*schema.max_length) + " bytes");
  }
  if (schema.min_length && Length(text) < *schema.min_length) {
    AddInvalid(causes, path, QuoteJson(text, false),
               "should be at least " + std::to_string(*schema.min_length) + " chars long");
  }
  if (schema.pattern != nullptr && !re2::RE2::PartialMatch(text, *schema.pattern)) {
    AddInvalid(causes, path, QuoteJson(text, false),
               "should match '" + schema.pattern->pattern() + "'");
  }
  static const re2::RE2 date_time(
      R"(^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$)");
  if (schema.format == "date-time" && !re2::RE2::FullMatch(text, date_time)) {
    AddInvalid(causes, path, QuoteJson(text, false),
               "must be of type date-time: " + QuoteJson(text, false));
  }
}

void ValidateUnique(const Schema& schema, const json& value, const std::string& path,
                    Causes& causes) {
  if (schema.list_type == Schema::ListType::kAtomic) return;
  std::set<json> seen;
  for (std::size_t i = 0; i < value.size(); ++i) {
    json key = value[i];
    if (schema.IsListMap()) {
      key = json::object();
      for (const std::string& name : schema.list_keys) {
        if (value[i].is_object() && value[i].contains(name)) key[name] = value[i][name];
      }
    }
    if (!seen.insert(key).second) {
      Add(causes, "FieldValueDuplicate", path + "[" + std::to_string(i) + "]",
          "Duplicate value: " + DumpJson(key));
    }
  }
}

void ValidateArray(const Schema& schema, const json& value, const std::string& path,
                   Causes& causes) {
  if (schema.max_items && value.size() > *schema.max_items) {
    Add(causes, "FieldValueTooMany", path,
        "Too many: " + std::to_string(value.size()) + ": must have at most " +
            std::to_string(*schema.max_items) + " items");
  }
  if (schema.min_items && value.size() < *schema.min_items) {
    AddInvalid(causes, path, std::to_string(value.size()),
               "should have at least " + std::to_string(*schema.min_items) + " items");
  }
  ValidateUnique(schema, value, path, causes);
  if (schema.items == nullptr) return;
  for (std::size_t i = 0; i < value.size(); ++i) {
    Validate(*schema.items, value[i], path + "[" + std::to_string(i) + "]", causes);
  }
}

void ValidateObject(const Schema& schema, const json& value, const std::string& path,
                    Causes& causes) {
  for (const std::string& name : schema.required) {
    if (!value.contains(name)) {
      Add(causes, "FieldValueRequired", Below(path, name), "Required value");
    }
  }
  if (schema.max_properties && value.size() > *schema.max_properties) {
    Add(causes, "FieldValueTooMany", path,
        "Too many: " + std::to_string(value.size()) + ": must have at most " +
            std::to_string(*schema.max_properties) + " items");
  }
  if (schema.min_properties && value.size() < *schema.min_properties) {
    AddInvalid(causes, path, std::to_string(value.size()),
               "should have at least " + std::to_string(*schema.min_properties) + " properties");
  }
  for (const auto& [name, member] : value.items()) {
    if (const Schema* child = schema.Member(name)) {
      Validate(*child, member, Below(path, name), causes);
    }
  }
}

bool IsValid(const Schema& schema, const json& value, const std::string& path) {
  Causes causes;
  Validate(schema, value, path, causes);
  return causes.empty();
}

void ValidateCombined(const Schema& schema, const json& value, const std::string& path,
                      Causes& causes) {
  const std::string quoted = "\"" + path + "\"";
  const auto count = [&](const auto& parts) {
    std::size_t valid = 0;
    for (const auto& part : parts) valid += IsValid(*part, value, path) ? 1U : 0U;
    return valid;
  };
  const auto add = [&](const std::string& what) {
    Add(causes, "FieldValueInvalid", path, "Invalid value: " + quoted + " " + what);
  };
  for (const auto& part : schema.all_of) Validate(*part, value, path, causes);
  if (!schema.any_of.empty() && count(schema.any_of) == 0) {
    add("must validate at least one schema (anyOf)");
  }
  if (const std::size_t valid = schema.one_of.empty() ? 1 : count(schema.one_of); valid != 1) {
    add("must validate one and only one schema (oneOf). Found " +
        (valid == 0 ? std::string("none valid") : std::to_string(valid) + " valid alternatives"));
  }
  if (schema.negated != nullptr && IsValid(*schema.negated, value, path)) {
    add("must not validate the schema (not)");
  }
}

void ValidateEnum(const Schema& schema, const json& value, const std::string& path,
                  Causes& causes) {
  if (!schema.enumeration.is_array()) return;
  std::string supported;
  for (const json& allowed : schema.enumeration) {
    if (allowed == value) return;
    supported += (supported.empty() ? "" : ", ") + DumpJson(allowed);
  }
  Add(causes, "FieldValueNotSupported", path,
      "Unsupported value: " + DumpJson(value) + ": supported values: " + supported);
}

}  // namespace

void Validate(const Schema& schema, const json& value, const std::string& path, Causes& causes) {
  if (!HasType(schema, value)) {
    const std::string type = "\"" + TypeName(value) + "\"";
    Add(causes, "FieldValueTypeInvalid", path,
        "Invalid value: " + type + ": " + path + " in body must be of type " +
            (schema.int_or_string ? "integer,string" : schema.type) + ": " + type);
    return;
  }
  if (value.is_null()) return;
  ValidateEnum(schema, value, path, causes);
  if (value.is_number()) ValidateNumber(schema, value, path, causes);
  if (value.is_string()) ValidateString(schema, value, path, causes);
  if (value.is_array()) ValidateArray(schema, value, path, causes);
  if (value.is_object()) ValidateObject(schema, value, path, causes);
  ValidateCombined(schema, value, path, causes);
}

}  // namespace escagent::apiserver
