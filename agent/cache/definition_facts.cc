#include "agent/cache/definition_facts.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "base/duration.h"
#include "base/strings.h"
#include "base/yaml.h"

namespace escagent::cache {
namespace {

bool IsProvider(std::string_view key) {
  for (const std::string_view function : {"fn::open", "fn::rotate"}) {
    if (!EqualsIgnoreCase(key.substr(0, function.size()), function)) continue;
    const std::string_view rest = key.substr(function.size());
    if (rest.empty() || rest.starts_with("::")) return true;
  }
  return false;
}

// Takes one name of a property path off `text`, which begins with it: a plain name, .name or
// ["name"]. Nothing when there is none.
std::optional<std::string> TakeName(std::string_view& text) {
  std::string name;
  if (text.starts_with("[\"")) {
    std::size_t at = 2;
    for (; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      name.push_back(text[at]);
    }
    if (!text.substr(std::min(at, text.size())).starts_with("\"]")) return std::nullopt;
    text.remove_prefix(at + 2);
    return name;
  }
  if (text.starts_with('.')) text.remove_prefix(1);
  const std::size_t end = std::min(text.find_first_of(".[} \t\r\n"), text.size());
  if (end == 0) return std::nullopt;
  name = text.substr(0, end);
  text.remove_prefix(end);
  return name;
}

class Reader {
 public:
  explicit Reader(const esc::EnvironmentRef& ref) : ref_(ref) {}

  DefinitionFacts Read(const YAML::Node& root) {
    if (root.IsMap()) {
      for (const auto& entry : root) {
        if (!entry.first.IsScalar()) continue;
        if (EqualsIgnoreCase(entry.first.Scalar(), "imports")) ReadImports(entry.second);
        if (EqualsIgnoreCase(entry.first.Scalar(), "values")) Walk(entry.second, false);
      }
    }
    std::ranges::sort(facts_.references);
    const auto repeated = std::ranges::unique(facts_.references);
    facts_.references.erase(repeated.begin(), repeated.end());
    return std::move(facts_);
  }

 private:
  void ReadImports(const YAML::Node& imports) {
    if (!imports.IsSequence()) return;
    for (const YAML::Node& import : imports) {
      if (import.IsScalar()) AddReference(import.Scalar());
      if (!import.IsMap()) continue;
      for (const auto& entry : import) {
        if (entry.first.IsScalar()) AddReference(entry.first.Scalar());
      }
    }
  }

  void AddReference(std::string_view name) {
    const std::string_view unversioned = name.substr(0, name.find('@'));
    std::string full = ref_.organization + "/";
    if (unversioned.find('/') == std::string_view::npos) full += "default/";
    auto parsed = esc::EnvironmentRef::Parse(full.append(name));
    if (parsed) facts_.references.push_back(*std::move(parsed));
  }

  // Depth, and what aliases multiply, are bounded by the parser.
  void Walk(const YAML::Node& node, bool in_provider) {
    if (node.IsScalar()) ReadText(node.Scalar());
    if (node.IsSequence()) {
      for (const YAML::Node& element : node) Walk(element, in_provider);
    }
    if (!node.IsMap()) return;
    for (const auto& entry : node) {
      const bool provider = entry.first.IsScalar() && IsProvider(entry.first.Scalar());
      if (provider) facts_.dynamic = true;
      if (in_provider) ReadInput(entry.first, entry.second);
      Walk(entry.second, in_provider || provider);
    }
  }

  void ReadInput(const YAML::Node& name, const YAML::Node& value) {
    if (!name.IsScalar() || !value.IsScalar() || name.Scalar() != "duration") return;
    const auto duration = ParseDuration(value.Scalar(), "duration");
    if (!duration || duration->count() <= 0) return;
    facts_.lifetime = std::min(facts_.lifetime.value_or(*duration), *duration);
  }

  // The interpolations in a string; $$ is a dollar sign.
  void ReadText(std::string_view text) {
    for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at)) {
      const char next = at + 1 < text.size() ? text[at + 1] : '\0';
      at += next == '$' || next == '{' ? 2 : 1;
      if (next == '{') ReadPath(text.substr(at));
    }
  }

  void ReadPath(std::string_view path) {
    if (TakeName(path) != "environments") return;
    const std::optional<std::string> project = TakeName(path);
    const std::optional<std::string> environment = project ? TakeName(path) : std::nullopt;
    if (environment) AddReference(*project + "/" + *environment);
  }

  const esc::EnvironmentRef& ref_;
  DefinitionFacts facts_;
};

}  // namespace

Result<DefinitionFacts> ReadDefinitionFacts(const esc::EnvironmentRef& ref, std::string_view yaml) {
  ESC_ASSIGN_OR_RETURN(const YAML::Node root,
                       ParseYaml(yaml, "the definition of environment " + ref.ToString()));
  return Reader(ref).Read(root);
}

}  // namespace escagent::cache
