#include "esc/yaml_events.h"

#include <cstddef>

namespace escagent::esc {

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

}  // namespace escagent::esc
