#include "agent/store/field_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"

namespace escagent::store {
namespace {

YAML::Node NullNode() { return YAML::Node(YAML::NodeType::Null); }

}  // namespace

FieldReader::FieldReader(YAML::Node node, std::string path, std::vector<std::string>& problems)
    : node_(std::move(node)), path_(std::move(path)), problems_(&problems) {
  exists_ = node_.IsMap();
  if (!exists_ && !node_.IsNull()) Problem("must be a mapping");
}

YAML::Node FieldReader::Field(std::string_view key) const {
  if (!exists_) return NullNode();
  // A look-up in a const node adds nothing; an absent field is a node that must not be asked more.
  const YAML::Node& map = node_;
  YAML::Node field = map[std::string(key)];
  return field.IsDefined() ? field : NullNode();
}

std::string FieldReader::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

bool FieldReader::Has(std::string_view key) const { return !Field(key).IsNull(); }

bool FieldReader::IsText(std::string_view key) const { return Field(key).IsScalar(); }

std::string FieldReader::Text(std::string_view key) const {
  const YAML::Node field = Field(key);
  if (field.IsScalar()) return field.Scalar();
  if (!field.IsNull()) Problem(key, "must be a string");
  return {};
}

std::vector<std::string> FieldReader::TextList(std::string_view key) const {
  const YAML::Node field = Field(key);
  std::vector<std::string> texts;
  bool good = field.IsNull() || field.IsSequence();
  if (field.IsSequence()) {
    for (const YAML::Node& element : field) {
      good = good && element.IsScalar();
      if (element.IsScalar()) texts.push_back(element.Scalar());
    }
  }
  if (!good) Problem(key, "must be a list of strings");
  return texts;
}

FieldReader FieldReader::Map(std::string_view key) const {
  return FieldReader(Field(key), PathOf(key), *problems_);
}

std::vector<FieldReader> FieldReader::MapList(std::string_view key) const {
  const YAML::Node field = Field(key);
  std::vector<FieldReader> readers;
  if (!field.IsNull() && !field.IsSequence()) Problem(key, "must be a list");
  if (!field.IsSequence()) return readers;
  for (const YAML::Node& element : field) {
    readers.emplace_back(element, PathOf(key) + "[" + std::to_string(readers.size()) + "]",
                         *problems_);
  }
  return readers;
}

std::vector<std::pair<std::string, std::string>> FieldReader::TextMap(std::string_view key) const {
  const FieldReader map = Map(key);
  std::vector<std::pair<std::string, std::string>> texts;
  if (!map.Exists()) return texts;
  for (const auto& item : map.node_) {
    if (item.first.IsScalar() && item.second.IsScalar()) {
      texts.emplace_back(item.first.Scalar(), item.second.Scalar());
    } else {
      map.Problem("must hold strings only");
    }
  }
  return texts;
}

void FieldReader::AllowOnly(std::initializer_list<std::string_view> keys) const {
  if (!exists_) return;
  for (const auto& item : node_) {
    const std::string key = item.first.IsScalar() ? item.first.Scalar() : std::string();
    if (std::ranges::find(keys, key) != keys.end()) continue;
    const std::optional<std::string_view> nearest = Nearest(key, keys);
    Problem(key, "is not a known field" +
                     (nearest ? "; did you mean " + std::string(*nearest) + "?" : std::string()));
  }
}

void FieldReader::Problem(std::string_view text) const {
  problems_->push_back((path_.empty() ? "" : path_ + ": ") + std::string(text));
}

void FieldReader::Problem(std::string_view key, std::string_view text) const {
  problems_->push_back(PathOf(key) + ": " + std::string(text));
}

}  // namespace escagent::store
