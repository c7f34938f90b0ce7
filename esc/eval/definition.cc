#include "esc/eval/definition.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
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

// The object behind the name of an import: {merge: bool}. Whatever else it holds is ignored.
void ParseImportOptions(const SyntaxNode& node, Import& import, Diagnostics& diagnostics) {
  if (node.kind != SyntaxNode::Kind::kObject) {
    AddError(diagnostics, node.range, node.path, "import must be an object");
    return;
  }
  for (const SyntaxNode::Entry& entry : node.entries) {
    if (!EqualsIgnoreCase(entry.key.text, "merge")) continue;
    if (entry.value.kind != SyntaxNode::Kind::kBool) {
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
void ParseValues(SyntaxNode node, Definition& definition, Diagnostics& diagnostics) {
  Expression& values = definition.values;
  values.range = node.range;
  values.path = node.path;
  values.members.clear();
  values.repeated.clear();
  definition.reserved.clear();
  if (node.kind != SyntaxNode::Kind::kObject) {
    AddError(diagnostics, node.range, node.path, "values must be an object");
    return;
  }
  std::unordered_map<std::string, std::size_t> seen;
  for (SyntaxNode::Entry& entry : node.entries) {
    const std::string& key = entry.key.text;
    if (key.starts_with("fn::")) {
      AddError(diagnostics, entry.key.range, entry.key.path,
               "builtin function call \"" + key + "\" not allowed at the top level");
    }
    Expression value = ParseExpression(std::move(entry.value), diagnostics);
    if (std::ranges::find(kReservedKeys, key) != kReservedKeys.end()) {
      definition.reserved.push_back({.key = key, .range = entry.key.range, .path = entry.key.path});
    } else {
      AddMember(values, key, std::move(value), entry.key, seen);
    }
  }
  SortMembers(values);
}

// In the words of ESC.
std::string DescribeUnknownField(const std::string& key) {
  static constexpr std::array<std::string_view, 3> kFields = {"description", "imports", "values"};
  std::string text = "Field '" + key + "' does not exist on Object 'environment'. ";
  if (const auto nearest = Nearest(key, kFields)) {
    return text + "Did you mean '" + std::string(*nearest) + "'?";
  }
  return text + "Existing fields are: 'description', 'imports', 'values'";
}

void ParseTopLevel(SyntaxNode root, Definition& definition, Diagnostics& diagnostics) {
  std::unordered_set<std::string_view> seen;
  for (SyntaxNode::Entry& entry : root.entries) {
    const std::string& key = entry.key.text;
    if (!seen.insert(key).second) {
      AddWarning(diagnostics, entry.key, "duplicate key \"" + key + "\"");
    }
    // ESC matches these names in any case.
    if (EqualsIgnoreCase(key, "imports")) {
      definition.imports = ParseImports(entry.value, diagnostics);
    } else if (EqualsIgnoreCase(key, "values")) {
      ParseValues(std::move(entry.value), definition, diagnostics);
    } else if (EqualsIgnoreCase(key, "description")) {
      if (entry.value.kind != SyntaxNode::Kind::kString) {
        AddError(diagnostics, entry.value.range, entry.value.path, "description must be a string");
      }
    } else {
      AddWarning(diagnostics, entry.key, DescribeUnknownField(key));
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
  auto root = ReadYaml(text, environment, diagnostics);
  // What is no proper YAML is not evaluated at all.
  if (HasErrors(diagnostics)) return definition;
  if (!root || root->kind == SyntaxNode::Kind::kNull) return definition;
  if (root->kind != SyntaxNode::Kind::kObject) {
    AddError(diagnostics, root->range, root->path, "environment must be an object");
    return definition;
  }
  ParseTopLevel(*std::move(root), definition, diagnostics);
  return definition;
}

}  // namespace escagent::eval
