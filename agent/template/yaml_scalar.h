#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/template/value.h"

// Scalars of YAML as ESO's library (sigs.k8s.io/yaml over go-yaml v2) reads and writes them:
// YAML 1.1, where yes and on are booleans.
namespace escagent::gotemplate {

// What a scalar without quotes is: nil, a boolean, a float64 for every number, or the text itself.
Value ResolveYamlScalar(std::string_view text);

enum class YamlStyle { kPlain, kSingleQuoted, kDoubleQuoted, kLiteral };

// How go-yaml writes a text so that it reads back as that text.
YamlStyle StyleOfYamlText(std::string_view text);

// The text in that style, of which the first line begins at `column`. Lines longer than 80
// characters are folded at spaces if `folds`; what follows the first line is indented.
std::string FormatYamlText(std::string_view text, YamlStyle style, std::size_t column,
                           std::size_t indent, bool folds);

}  // namespace escagent::gotemplate
