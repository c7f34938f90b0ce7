#include "esc/devserver/imports.h"

#include <cstddef>

#include "base/strings.h"
#include "base/yaml.h"

namespace escagent::devserver {
namespace {

constexpr std::string_view kDefaultProject = "default";
constexpr std::string_view kReference = "${environments.";

void AddListed(const YAML::Node& list, std::vector<Import>& imports) {
  for (const YAML::Node& node : list) {
    if (node.IsScalar()) {
      imports.push_back(ParseImport(node.Scalar()));
    } else if (node.IsMap() && node.size() == 1 && node.begin()->first.IsScalar()) {
      imports.push_back(ParseImport(node.begin()->first.Scalar()));
    }
  }
}

void AddReferenced(std::string_view text, std::vector<Import>& imports) {
  for (std::size_t at = text.find(kReference); at != std::string_view::npos;
       at = text.find(kReference)) {
    text.remove_prefix(at + kReference.size());
    const std::vector<std::string_view> names =
        Split(text.substr(0, text.find_first_of("}[ \t\r\n\"")), '.');
    if (names.size() < 2) continue;
    imports.push_back({.project = std::string(names[0]), .environment = std::string(names[1])});
  }
}

}  // namespace

Import ParseImport(std::string_view name) {
  Import import;
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    import.version = name.substr(at + 1);
    name = name.substr(0, at);
  }
  const std::size_t slash = name.find('/');
  import.project = slash == std::string_view::npos ? kDefaultProject : name.substr(0, slash);
  import.environment = slash == std::string_view::npos ? name : name.substr(slash + 1);
  return import;
}

std::vector<Import> ImportsOf(std::string_view definition) {
  std::vector<Import> imports;
  const auto root = ParseYaml(definition, "definition");
  if (!root || !root->IsMap()) return imports;
  const YAML::Node list = (*root)["imports"];
  if (list.IsDefined() && list.IsSequence()) AddListed(list, imports);
  AddReferenced(definition, imports);
  return imports;
}

}  // namespace escagent::devserver
