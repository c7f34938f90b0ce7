#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "esc/eval/source.h"
#include "esc/eval/syntax.h"

namespace escagent::eval {

// One step of a reference: `.name`, `["name"]` or `[3]`.
struct Accessor {
  std::variant<std::string, std::int64_t> key;
  SourceRange range;  // only where the text of the string is the source's

  const std::string* Name() const { return std::get_if<std::string>(&key); }
  const std::int64_t* Index() const { return std::get_if<std::int64_t>(&key); }
};

// Literal text followed by a reference. Without accessors: text alone.
struct InterpolationPart {
  std::string text;
  std::vector<Accessor> reference;
};

// Splits the text of a string node at its ${references}. "$$" is a "$", a "$" before anything else
// is itself. A malformed reference is reported, and read as far as it makes sense.
//
//   reference = "${" first { "." name | "[" subscript "]" } "}"
//   first     = name | "[" quoted "]"
//   name      = anything up to one of . [ } or white space
//   subscript = quoted | base-10 integer
//   quoted    = '"' { anything, \" for a quote } '"'
std::vector<InterpolationPart> ParseInterpolation(const SyntaxNode& node, Diagnostics& diagnostics);

}  // namespace escagent::eval
