#include "tests/fakes/apiserver/yaml_to_json.h"

#include <re2/re2.h>

#include <charconv>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/yaml.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

json Number(const std::string& text) {
  // JSON's own reader keeps whole numbers whole.
  std::string number = text.starts_with('+') ? text.substr(1) : text;
  if (number.starts_with('.')) number.insert(0, "0");
  json parsed = json::parse(number, nullptr, /*allow_exceptions=*/false);
  return parsed.is_discarded() ? json(text) : parsed;
}

json Scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  // Scalars in quotes have the tag "!" (base/yaml.h).
  if (node.Tag() == "!" || node.Tag().ends_with(":str")) return text;
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return nullptr;
  }
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  static const re2::RE2 number(R"([-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?)");
  if (re2::RE2::FullMatch(text, number)) return Number(text);
  static const re2::RE2 octal("0o?[0-7]+");
  if (re2::RE2::FullMatch(text, octal)) {
    const std::size_t digits = text.starts_with("0o") ? 2 : 1;
    long value = 0;
    std::from_chars(text.data() + digits, text.data() + text.size(), value, 8);
    return value;
  }
  return text;
}

json Convert(const YAML::Node& node) {
  if (node.IsMap()) {
    json object = json::object();
    for (const auto& entry : node) object[entry.first.Scalar()] = Convert(entry.second);
    return object;
  }
  if (node.IsSequence()) {
    json list = json::array();
    for (const auto& item : node) list.push_back(Convert(item));
    return list;
  }
  return node.IsScalar() ? Scalar(node) : json();
}

}  // namespace

Result<std::vector<json>> YamlToJson(std::string_view text, std::string_view what) {
  ESC_ASSIGN_OR_RETURN(const std::vector<YamlDocument> read, ParseYamlStream(text, what));
  std::vector<json> documents;
  for (const YamlDocument& one : read) {
    json document = Convert(one.root);
    if (document.is_null()) continue;
    if (document.is_object() && document.value("kind", json()) == "List") {
      for (json& item : document["items"]) documents.push_back(std::move(item));
    } else {
      documents.push_back(std::move(document));
    }
  }
  return documents;
}

}  // namespace escagent::apiserver
