#pragma once

#include <string>
#include <string_view>

#include "agent/mirror/string_map.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/value.h"

namespace escagent::mirror {

// Annotation of an ExternalSecret with a text for ParseCompat().
inline constexpr char kCompatAnnotation[] = "esc-agent.io/eso-compat";

// Where ESO's provider renders values badly and somebody may depend on it (eso-compat.md 1.3).
// All off is the clean form.
struct Compat {
  // "nested": objects and arrays as the service's own nodes, {"trace":{..},"value":..} at every
  // level, with <, > and & escaped. The traces are empty ranges: nobody can use them.
  bool eso_nested = false;
  // "floats": numbers as a float64 in shortest decimal form: 1.0 is 1, and integers beyond 2^53
  // lose digits.
  bool eso_floats = false;
  // "empty-extract": dataFrom.extract of what is no object gives no keys instead of an error.
  bool silent_empty_extract = false;
  // "null": a null is an error instead of an empty value.
  bool fail_on_null = false;

  bool operator==(const Compat&) const = default;
};

// Reads "all", "none", or a comma-separated list of nested, floats, empty-extract, null. An empty
// text is none. INVALID_ARGUMENT names what is not known.
Result<Compat> ParseCompat(std::string_view text);

// What an object with these annotations asks for: its kCompatAnnotation, else `fallback`.
// INVALID_ARGUMENT names the annotation.
Result<Compat> CompatOf(const StringMap& annotations, const Compat& fallback);

// The bytes of a value in a Secret: strings as they are, booleans true and false, numbers with
// their exact text, null empty, objects and arrays as JSON on one line with sorted keys. `where`
// names the value in errors: FAILED_PRECONDITION when it or a part of it is unknown to ESC;
// INVALID_ARGUMENT for null with fail_on_null.
Result<Secret> RenderValue(const esc::Value& value, const Compat& compat, const std::string& where);

}  // namespace escagent::mirror
