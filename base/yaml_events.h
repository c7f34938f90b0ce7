#pragma once

#include <yaml.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace escagent {

// The events of a text in YAML, as libyaml reads it. The reader of Pulumi's evaluator (Go's
// yaml.v3) is a translation of libyaml: what the one takes for YAML, where it sees the parts and
// what it finds wrong, so does the other. Tags of more than 1 KiB and more than 100 lines with %TAG
// are refused, as they would make much work and memory of few bytes.
class YamlEvents {
 public:
  // Borrows the text, which is UTF-8 without a byte order mark at its begin.
  explicit YamlEvents(std::string_view text);
  ~YamlEvents();
  YamlEvents(const YamlEvents&) = delete;
  YamlEvents& operator=(const YamlEvents&) = delete;

  // Goes to the next event. False, and event() is none, when the text is no YAML here.
  bool Next();
  const yaml_event_t& event() const { return event_; }

  // After Next() was false, for people: " at line 3, column 5: did not find expected key", or ": "
  // and the problem where libyaml tells no place. Holds none of the text.
  std::string Problem() const;

  // The same in the words of yaml.v3: "yaml: line 3: did not find expected key". The line is often
  // the one before.
  std::string Fault() const;

 private:
  bool Refuse(const char* why, const yaml_mark_t& mark);

  yaml_parser_t parser_{};
  const bool ready_;
  const bool too_many_directives_;
  yaml_event_t event_{};
};

// The bytes at the begin that mark UTF-8 and are no content.
std::size_t ByteOrderMarkSize(std::string_view text);

// Whether a plain scalar without a tag is a null (the core schema of YAML 1.2).
bool IsYamlNull(std::string_view plain);

}  // namespace escagent
