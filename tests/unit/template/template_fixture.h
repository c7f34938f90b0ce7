#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

#include "agent/template/render.h"

namespace escagent::gotemplate {

// A template, and its output or its error.
struct Case {
  std::string_view text;
  std::string_view expected;
};

// What the templates of all tables read. The values are not in the tables' errors.
inline const Fields& SampleFields() {
  static const Fields fields = {
      {"b64", "aGVsbG8="},
      {"empty", ""},
      {"json", R"({"a":1,"b":[1,2.5,"x",null,true],"c":{"d":"e","n":null},"s":"<&>é"})"},
      {"list", "a,b,c"},
      {"multi", "line1\nline2\n"},
      {"num", "42"},
      {"password", R"(s3cr"et&<x>)"},
      {"user", "admin"},
      {"utf", "héllo wörld ñ"},
  };
  return fields;
}

// The output, or the error behind "error: ".
inline std::string Outcome(std::string_view text, const Limits& limits = {}) {
  const Result<Secret> result = Render("t", text, SampleFields(), limits);
  return result ? std::string(result->Reveal()) : "error: " + result.error().message;
}

inline void ExpectOutputs(std::span<const Case> cases) {
  for (const Case& c : cases) EXPECT_EQ(Outcome(c.text), c.expected) << c.text;
}

inline void ExpectErrors(std::span<const Case> cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(Outcome(c.text), "error: " + std::string(c.expected)) << c.text;
  }
}

}  // namespace escagent::gotemplate
