#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <string_view>
#include <vector>

#include "base/result.h"

namespace escagent {

// Parses one YAML document. `what` names it in the error, which has line and column but none of
// the text. yaml-cpp's parse errors are caught here, and in esc/eval/syntax.cc, which reports them
// as diagnostics. An empty text is a null node.
Result<YAML::Node> ParseYaml(std::string_view text, std::string_view what);

// All documents of a stream separated by ---.
Result<std::vector<YAML::Node>> ParseYamlStream(std::string_view text, std::string_view what);

// Gives the events of the one document of a text to `handler`, for those who need what nodes
// forget: positions, aliases, styles. No event at all for a text without a document.
Status ParseYamlEvents(std::string_view text, std::string_view what, YAML::EventHandler& handler);

}  // namespace escagent
