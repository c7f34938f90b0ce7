#pragma once

#include <yaml-cpp/yaml.h>

#include <string_view>
#include <vector>

#include "base/result.h"

namespace escagent {

// Parses one YAML document. `what` names it in the error, which has line and column but none of
// the text. An empty text is a null node.
Result<YAML::Node> ParseYaml(std::string_view text, std::string_view what);

// All documents of a stream separated by ---.
Result<std::vector<YAML::Node>> ParseYamlStream(std::string_view text, std::string_view what);

}  // namespace escagent
