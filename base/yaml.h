#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace escagent {

// Deeper YAML is refused: recursive readers of the result must not run out of stack.
inline constexpr std::size_t kMaxYamlDepth = 200;
// YAML with more nodes to be met through aliases is refused, so that few bytes are never much work.
inline constexpr std::size_t kMaxAliasedYamlNodes = 100'000;

struct YamlDocument {
  // Scalars have the tag that is written, or else "!" in quotes or as a block (texts whatever they
  // look like) and "?" without. Keys are scalars, and may repeat. Aliases share their anchor's
  // node.
  YAML::Node root;
  int line = 1;  // where the root begins
};

// Parses one YAML document. `what` names it in the error, which has line and column but none of
// the text. An empty text is a null node. libyaml reads; yaml-cpp, whose own parser never ends and
// takes all memory for some texts ("," is one), only keeps what was read.
Result<YAML::Node> ParseYaml(std::string_view text, std::string_view what);

// All documents of a stream separated by ---.
Result<std::vector<YamlDocument>> ParseYamlStream(std::string_view text, std::string_view what);

}  // namespace escagent
