#include "base/yaml_events.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace escagent {
namespace {

constexpr std::size_t kMaxTag = 1024;
constexpr int kMaxDirectives = 100;

// libyaml compares each directive with all before it.
bool HasTooManyDirectives(std::string_view text) {
  constexpr std::string_view kDirective = "%TAG";
  int count = 0;
  for (std::size_t at = text.find(kDirective); at != std::string_view::npos;
       at = text.find(kDirective, at + 1)) {
    const bool begins_line = at == 0 || text[at - 1] == '\n' || text[at - 1] == '\r' ||
                             static_cast<unsigned char>(text[at - 1]) >= 0x80;
    if (begins_line && ++count > kMaxDirectives) return true;
  }
  return false;
}

// Of a directive a tag takes its prefix, which may be as long as the text.
bool HasLongTag(const yaml_event_t& event) {
  const yaml_char_t* tag = nullptr;
  if (event.type == YAML_SCALAR_EVENT) tag = event.data.scalar.tag;
  if (event.type == YAML_SEQUENCE_START_EVENT) tag = event.data.sequence_start.tag;
  if (event.type == YAML_MAPPING_START_EVENT) tag = event.data.mapping_start.tag;
  return tag != nullptr && std::string_view(reinterpret_cast<const char*>(tag)).size() > kMaxTag;
}

}  // namespace

YamlEvents::YamlEvents(std::string_view text)
    : ready_(yaml_parser_initialize(&parser_) != 0),
      too_many_directives_(HasTooManyDirectives(text)) {
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
  if (too_many_directives_) return Refuse("more than 100 %TAG directives", {});
  if (ready_ && yaml_parser_parse(&parser_, &event_) != 0) {
    if (!HasLongTag(event_)) return true;
    const yaml_mark_t mark = event_.start_mark;
    yaml_event_delete(&event_);
    return Refuse("a tag of more than 1,024 bytes", mark);
  }
  event_ = {};
  return false;
}

bool YamlEvents::Refuse(const char* why, const yaml_mark_t& mark) {
  event_ = {};
  parser_.error = YAML_PARSER_ERROR;
  parser_.problem = why;
  parser_.problem_mark = mark;
  parser_.context_mark = {};
  return false;
}

std::size_t ByteOrderMarkSize(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  return text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
}

bool IsYamlNull(std::string_view plain) {
  static constexpr std::array<std::string_view, 5> kTexts = {"", "~", "null", "Null", "NULL"};
  return std::ranges::find(kTexts, plain) != kTexts.end();
}

std::string YamlEvents::Problem() const {
  const std::string problem = parser_.problem != nullptr ? parser_.problem : "out of memory";
  // Of characters that YAML does not allow libyaml tells no line.
  if (parser_.error != YAML_SCANNER_ERROR && parser_.error != YAML_PARSER_ERROR) {
    return ": " + problem;
  }
  return " at line " + std::to_string(parser_.problem_mark.line + 1) + ", column " +
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
