#pragma once

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/mirror/string_map.h"

namespace escagent::mirror {

// Reads the fields of one JSON object of a spec and notes what is wrong with them, so that the
// reader of a whole spec reports everything at once. What is absent, null or of the wrong type
// reads as empty. Problems read "<path of the field>: <what is wrong>" and repeat no more of the
// document than names. Unknown fields are passed over: the CRD's schema is who prunes them. Borrows
// the document and `problems`. Thread-compatible.
class SpecReader {
 public:
  SpecReader(const nlohmann::json& object, std::string path, std::vector<std::string>& problems);

  bool Has(std::string_view key) const;

  std::string Text(std::string_view key) const;
  bool Flag(std::string_view key) const;
  // A Go duration as text ("1h30m"); nothing when absent or wrong.
  std::optional<std::chrono::milliseconds> Duration(std::string_view key) const;
  std::vector<std::string> TextList(std::string_view key) const;
  StringMap TextMap(std::string_view key) const;
  SpecReader Map(std::string_view key) const;
  std::vector<SpecReader> MapList(std::string_view key) const;

  // One of the names, `fallback` when absent or empty. Anything else is a problem that lists them.
  template <class E, std::size_t N>
  E Choice(std::string_view key, E fallback,
           const std::array<std::pair<std::string_view, E>, N>& names) const {
    const std::string text = Text(key);
    if (text.empty()) return fallback;
    std::string allowed;
    for (const auto& [name, value] : names) {
      if (text == name) return value;
      allowed += (allowed.empty() ? "" : ", ") + std::string(name);
    }
    Problem(key, "must be one of " + allowed);
    return fallback;
  }

  // Notes a problem of this object, or of one of its fields.
  void Problem(std::string_view text) const;
  void Problem(std::string_view key, std::string_view text) const;

 private:
  const nlohmann::json& Field(std::string_view key) const;
  std::string PathOf(std::string_view key) const;

  const nlohmann::json* object_;  // a null document when it is no object
  std::string path_;
  std::vector<std::string>* problems_;
};

}  // namespace escagent::mirror
