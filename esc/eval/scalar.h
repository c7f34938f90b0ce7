#pragma once

#include <string>
#include <string_view>

namespace escagent::eval {

// What a plain (unquoted) YAML scalar means.
struct Scalar {
  enum class Kind {
    kNull,
    kBool,
    kNumber,
    kString,
    kNotANumber,  // .inf and .nan, which JSON cannot hold
  };
  Kind kind = Kind::kString;
  bool boolean = false;
  std::string text;  // of a number: valid JSON; otherwise as written
};

// Resolves a plain scalar as Go's yaml.v3 does for untyped targets, which ESC uses: the YAML 1.2
// core schema (null, booleans spelled true/True/TRUE, decimal, 0x and 0o integers, floats) plus
// binary (0b101), C-style octal (017) and digits grouped by "_" (1_000). Time stamps stay strings.
//
// Numbers keep their text where it is a JSON number already (1.10, integers beyond 64 bits);
// the other spellings are rewritten.
Scalar ResolvePlainScalar(std::string_view text);

}  // namespace escagent::eval
