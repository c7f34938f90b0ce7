#pragma once

#include <yaml.h>

#include <string>
#include <string_view>

namespace escagent {

// The events of a text in YAML, as libyaml reads it. The reader of Pulumi's evaluator (Go's
// yaml.v3) is a translation of libyaml: what the one takes for YAML, where it sees the parts and
// what it finds wrong, so does the other.
class YamlEvents {
 public:
  // Borrows the text, which is UTF-8.
  explicit YamlEvents(std::string_view text);
  ~YamlEvents();
  YamlEvents(const YamlEvents&) = delete;
  YamlEvents& operator=(const YamlEvents&) = delete;

  // Goes to the next event. False, and event() is none, when the text is no YAML here.
  bool Next();
  const yaml_event_t& event() const { return event_; }

  // After Next() was false, for people: "line 3, column 5: did not find expected key". Holds none
  // of the text.
  std::string Problem() const;

  // The same in the words of yaml.v3: "yaml: line 3: did not find expected key". The
  // line is often the one before. Holds none of the text.
  std::string Fault() const;

 private:
  yaml_parser_t parser_{};
  const bool ready_;
  yaml_event_t event_{};
};

// Whether a plain scalar without a tag is a null (the core schema of YAML 1.2).
bool IsYamlNull(std::string_view plain);

}  // namespace escagent
