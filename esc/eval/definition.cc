#include "esc/eval/definition.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/strings.h"
#include "esc/eval/syntax.h"

namespace escagent::eval {
namespace {

// Names that references look up elsewhere before they look at the values.
constexpr std::array<std::string_view, 3> kReservedKeys = {"imports", "context", "environments"};

void AddWarning(Diagnostics& out, const SyntaxNode& node, std::string summary) {
  AddDiagnostic(out, esc::Diagnostic::Severity::kWarning, node.range, node.path,
                std::move(summary));
}

// The object behind the name of an import: {merge: bool}.
void ParseImportOptions(const SyntaxNode& node, Import& import, Diagnostics& diagnostics) {
  if (node.kind != SyntaxNode::Kind::kObject) {
    AddError(diagnostics, node.range, node.path, "the options of an import must be an object");
    return;
  }
  for (const SyntaxNode::Entry& entry : node.entries) {
    if (entry.key.text != "merge") {
      AddWarning(diagnostics, entry.key,
                 "unknown import option \"" + entry.key.text + "\"; there is only \"merge\"");
    } else if (entry.value.kind != SyntaxNode::Kind::kBool) {
      AddError(diagnostics, entry.value.range, entry.value.path, "merge must be a boolean value");
    } else {
      import.merge = entry.value.boolean;
    }
  }
}

std::optional<Import> ParseImport(const SyntaxNode& node, Diagnostics& diagnostics) {
  Import import;
  import.range = node.range;
  import.path = node.path;
  if (node.kind == SyntaxNode::Kind::kString) {
    import.name = node.text;
    return import;
  }
  if (node.kind != SyntaxNode::Kind::kObject) {
    AddError(diagnostics, node.range, node.path, "import must be a string or an object");
    return std::nullopt;
  }
  if (node.entries.size() != 1) {
    AddError(diagnostics, node.range, node.path, "import must have a single key");
    return std::nullopt;
  }
  const SyntaxNode::Entry& entry = node.entries.front();
  import.name = entry.key.text;
  import.range = entry.key.range;
  ParseImportOptions(entry.value, import, diagnostics);
  return import;
}

std::vector<Import> ParseImports(const SyntaxNode& node, Diagnostics& diagnostics) {
  std::vector<Import> imports;
  if (node.kind != SyntaxNode::Kind::kArray) {
    AddError(diagnostics, node.range, node.path, "imports must be a list");
    return imports;
  }
  for (const SyntaxNode& element : node.elements) {
    if (auto import = ParseImport(element, diagnostics)) imports.push_back(*std::move(import));
  }
  return imports;
}

// The values differ from any other object: calls are not allowed, some names are reserved, and "$"
// in keys is an ordinary character.
void ParseValues(const SyntaxNode& node, Expression& values, Diagnostics& diagnostics) {
  values.range = node.range;
  values.path = node.path;
  values.members.clear();
  if (node.kind != SyntaxNode::Kind::kObject) {
    AddError(diagnostics, node.range, node.path, "values must be an object");
    return;
  }
  std::unordered_set<std::string_view> keys;
  for (const SyntaxNode::Entry& entry : node.entries) {
    const std::string& key = entry.key.text;
    const auto refuse = [&](std::string why) {
      AddError(diagnostics, entry.key.range, entry.key.path, std::move(why));
    };
    Expression value = ParseExpression(entry.value, diagnostics);
    if (EqualsIgnoreCase(std::string_view(key).substr(0, 4), "fn::")) {
      refuse("built-in function call \"" + key + "\" not allowed at the top level");
    } else if (std::ranges::find(kReservedKeys, key) != kReservedKeys.end()) {
      refuse("\"" + key + "\" is a reserved key");
    } else if (!keys.insert(key).second) {
      refuse("duplicate key \"" + key + "\"");
    } else {
      values.members.push_back({.key = key, .value = std::move(value)});
    }
  }
  SortMembers(values);
}

void ParseTopLevel(const SyntaxNode& root, Definition& definition, Diagnostics& diagnostics) {
  std::unordered_set<std::string_view> seen;
  for (const SyntaxNode::Entry& entry : root.entries) {
    const std::string& key = entry.key.text;
    if (!seen.insert(key).second) {
      AddWarning(diagnostics, entry.key, "duplicate key \"" + key + "\"");
    }
    // ESC matches these names in any case.
    if (EqualsIgnoreCase(key, "imports")) {
      definition.imports = ParseImports(entry.value, diagnostics);
    } else if (EqualsIgnoreCase(key, "values")) {
      ParseValues(entry.value, definition.values, diagnostics);
    } else if (EqualsIgnoreCase(key, "description")) {
      if (entry.value.kind != SyntaxNode::Kind::kString) {
        AddError(diagnostics, entry.value.range, entry.value.path, "description must be a string");
      }
    } else {
      AddWarning(diagnostics, entry.key,
                 "unknown field \"" + key +
                     "\" of the environment; known are \"description\", \"imports\" and "
                     "\"values\"");
    }
  }
}

}  // namespace

Definition ParseDefinition(std::string_view text,
                           const std::shared_ptr<const std::string>& environment,
                           Diagnostics& diagnostics) {
  Definition definition;
  definition.environment = environment;
  definition.values.kind = Expression::Kind::kObject;
  definition.values.path = "values";
  definition.values.range.environment = environment;
  const auto root = ReadYaml(text, environment, diagnostics);
  if (!root || root->kind == SyntaxNode::Kind::kNull) return definition;
  if (root->kind != SyntaxNode::Kind::kObject) {
    AddError(diagnostics, root->range, root->path, "environment must be an object");
    return definition;
  }
  ParseTopLevel(*root, definition, diagnostics);
  return definition;
}

}  // namespace escagent::eval
