#include "agent/volume/item_list.h"

#include <array>
#include <set>

#include "agent/volume/attribute_values.h"
#include "agent/volume/file_name.h"
#include "base/strings.h"
#include "base/yaml.h"

namespace escagent::volume {
namespace {

constexpr std::array<std::string_view, 4> kItemKeys = {"path", "file", "mode", "encoding"};

// Collects the error of a failed reader; gives its value otherwise.
template <class T>
std::optional<T> Take(Result<T> result, std::vector<std::string>& errors) {
  if (result) return *std::move(result);
  errors.push_back(std::move(result.error().message));
  return std::nullopt;
}

void ReadItemFile(Item& item, bool given, const std::string& what,
                  std::vector<std::string>& errors) {
  if (!given) {
    item.file = LastName(item.path);
    if (item.file.empty()) {
      errors.push_back(what + ": `file` is required when `path` is the whole of what is mounted");
      return;
    }
  }
  if (const Status valid = ValidateFilePath(item.file); !valid) {
    errors.push_back(what + ".file: " + QuoteForMessage(item.file) + ": " + valid.error().message);
  }
}

Item ReadItem(const YAML::Node& node, const std::string& what, std::vector<std::string>& errors) {
  Item item;
  if (!node.IsMap()) {
    errors.push_back(what + ": must be a map with path, file, mode, encoding");
    return item;
  }
  const std::size_t errors_before = errors.size();
  bool has_path = false;
  bool has_file = false;
  for (const auto& member : node) {
    const std::string key = member.first.IsScalar() ? member.first.Scalar() : "";
    const YAML::Node& value = member.second;
    if (std::find(kItemKeys.begin(), kItemKeys.end(), key) == kItemKeys.end()) {
      errors.push_back(what + ": unknown key" + GotForMessage(key) +
                       "; allowed are path, file, mode, encoding" + DidYouMean(key, kItemKeys));
      continue;
    }
    if (!value.IsScalar()) {
      errors.push_back(std::string(what).append(".").append(key).append(": must be a plain text"));
      continue;
    }
    if (key == "path") {
      has_path = true;
      item.path = value.Scalar();
      const Status valid = ValidatePropertyPath(item.path, what + ".path");
      if (!valid) errors.push_back(valid.error().message);
    } else if (key == "file") {
      has_file = true;
      item.file = value.Scalar();
    } else if (key == "mode") {
      item.mode = Take(ParseMode(value.Scalar(), what + ".mode"), errors);
    } else {
      item.encoding =
          Take(ParseEncoding(value.Scalar(), what + ".encoding"), errors).value_or(Encoding::kUtf8);
    }
  }
  if (errors.size() != errors_before) return item;
  if (!has_path) errors.push_back(what + ": `path` is required");
  if (has_path) ReadItemFile(item, has_file, what, errors);
  return item;
}

// No two items may have the same file, and no item's file may be another's folder.
void CheckCollisions(const std::vector<Item>& items, std::vector<std::string>& errors) {
  std::set<std::string_view> files;
  for (const Item& item : items) {
    if (!files.insert(item.file).second) {
      errors.push_back("items: more than one item has the file " + QuoteForMessage(item.file));
    }
  }
  for (const std::string_view file : files) {
    for (std::size_t slash = file.find('/'); slash != std::string_view::npos;
         slash = file.find('/', slash + 1)) {
      if (files.contains(file.substr(0, slash))) {
        errors.push_back("items: " + QuoteForMessage(file.substr(0, slash)) +
                         " is a file of one item and a folder of another");
      }
    }
  }
}

}  // namespace

std::string LastName(std::string_view property_path) {
  const Result<esc::PropertyPath> path = esc::PropertyPath::Parse(property_path);
  if (!path || path->IsRoot()) return "";
  const esc::PropertyPath::Accessor& last = path->accessors().back();
  if (const auto* name = std::get_if<std::string>(&last)) return *name;
  return std::to_string(std::get<std::size_t>(last));
}

std::vector<Item> ParseItemList(std::string_view yaml, std::vector<std::string>& errors) {
  constexpr std::string_view kShape = "items: must be a YAML list of {path, file, mode, encoding}";
  const Result<YAML::Node> list = ParseYaml(yaml, "items");
  if (!list) {
    errors.push_back(list.error().message + "; " + std::string(kShape));
    return {};
  }
  if (!list->IsSequence() || list->size() == 0) {
    errors.push_back(std::string(kShape) + " with at least one entry");
    return {};
  }
  const std::size_t errors_before = errors.size();
  std::vector<Item> items;
  items.reserve(list->size());
  for (std::size_t i = 0; i < list->size(); ++i) {
    items.push_back(ReadItem((*list)[i], "items[" + std::to_string(i) + "]", errors));
  }
  if (errors.size() == errors_before) CheckCollisions(items, errors);
  return items;
}

}  // namespace escagent::volume
