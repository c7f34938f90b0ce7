#include "agent/mirror/spec_reader.h"

#include "base/duration.h"
#include "base/json_fields.h"

namespace escagent::mirror {

using nlohmann::json;

SpecReader::SpecReader(const json& object, std::string path, std::vector<std::string>& problems)
    : object_(&object), path_(std::move(path)), problems_(&problems) {
  if (!object.is_object() && !object.is_null()) Problem("must be an object");
}

const json& SpecReader::Field(std::string_view key) const { return Member(*object_, key); }

std::string SpecReader::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

bool SpecReader::Has(std::string_view key) const { return !Field(key).is_null(); }

std::string SpecReader::Text(std::string_view key) const {
  const json& field = Field(key);
  if (const auto* text = field.get_ptr<const json::string_t*>(); text != nullptr) return *text;
  if (!field.is_null()) Problem(key, "must be a string");
  return {};
}

bool SpecReader::Flag(std::string_view key) const {
  const json& field = Field(key);
  if (const auto* flag = field.get_ptr<const json::boolean_t*>(); flag != nullptr) return *flag;
  if (!field.is_null()) Problem(key, "must be true or false");
  return false;
}

std::optional<std::chrono::milliseconds> SpecReader::Duration(std::string_view key) const {
  const std::string text = Text(key);
  if (text.empty()) return std::nullopt;
  const Result<std::chrono::milliseconds> duration = ParseDuration(text, PathOf(key));
  if (duration) return *duration;
  problems_->push_back(duration.error().message);
  return std::nullopt;
}

std::vector<std::string> SpecReader::TextList(std::string_view key) const {
  const json& field = Field(key);
  bool good = field.is_null() || field.is_array();
  if (field.is_array()) {
    for (const json& element : field) good = good && element.is_string();
  }
  if (!good) Problem(key, "must be a list of strings");
  return StringsMember(*object_, key);
}

StringMap SpecReader::TextMap(std::string_view key) const {
  const json& field = Field(key);
  StringMap texts = ReadStringMap(field);
  if (!field.is_null() && (!field.is_object() || texts.size() != field.size())) {
    Problem(key, "must be an object that holds strings only");
  }
  return texts;
}

SpecReader SpecReader::Map(std::string_view key) const {
  return SpecReader(Field(key), PathOf(key), *problems_);
}

std::vector<SpecReader> SpecReader::MapList(std::string_view key) const {
  std::vector<SpecReader> readers;
  const json& field = Field(key);
  if (!field.is_array()) {
    if (!field.is_null()) Problem(key, "must be a list");
    return readers;
  }
  for (const json& element : field) {
    readers.emplace_back(element, PathOf(key) + "[" + std::to_string(readers.size()) + "]",
                         *problems_);
  }
  return readers;
}

void SpecReader::Problem(std::string_view text) const {
  problems_->push_back((path_.empty() ? "" : path_ + ": ") + std::string(text));
}

void SpecReader::Problem(std::string_view key, std::string_view text) const {
  problems_->push_back(PathOf(key) + ": " + std::string(text));
}

}  // namespace escagent::mirror
