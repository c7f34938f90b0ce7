#include "base/yaml_events.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace escagent {

YamlEvents::YamlEvents(std::string_view text) : ready_(yaml_parser_initialize(&parser_) != 0) {
  if (!ready_) return;  // out of memory
  yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  // libyaml takes no null, which an empty view may be.
  if (text.empty()) text = "";
  yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
}

YamlEvents::~YamlEvents() {
  yaml_event_delete(&event_);
  yaml_parser_delete(&parser_);
}

bool YamlEvents::Next() {
  yaml_event_delete(&event_);
  if (ready_ && yaml_parser_parse(&parser_, &event_) != 0) return true;
  event_ = {};
  return false;
}

bool IsYamlNull(std::string_view plain) {
  static constexpr std::array<std::string_view, 5> kTexts = {"", "~", "null", "Null", "NULL"};
  return std::ranges::find(kTexts, plain) != kTexts.end();
}

std::string YamlEvents::Problem() const {
  const std::string problem = parser_.problem != nullptr ? parser_.problem : "out of memory";
  // Of an encoding that is wrong it tells no line.
  if (parser_.error != YAML_SCANNER_ERROR && parser_.error != YAML_PARSER_ERROR) return problem;
  return "line " + std::to_string(parser_.problem_mark.line + 1) + ", column " +
         std::to_string(parser_.problem_mark.column + 1) + ": " + problem;
}

std::string YamlEvents::Fault() const {
  // yaml.v3 counts lines from 0 here, and takes 0 for not known.
  std::size_t line =
      parser_.context_mark.line != 0 ? parser_.context_mark.line : parser_.problem_mark.line;
  if (line != 0 && parser_.error == YAML_SCANNER_ERROR) ++line;
  std::string text = "yaml: ";
  if (line != 0) text += "line " + std::to_string(line) + ": ";
  return text +
         (parser_.problem != nullptr ? parser_.problem : "unknown problem parsing YAML content");
}

}  // namespace escagent
