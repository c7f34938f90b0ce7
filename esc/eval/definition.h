#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esc/eval/expression.h"
#include "esc/eval/source.h"

namespace escagent::eval {

// One entry of "imports".
struct Import {
  std::string name;   // as written: "project/env", "project/env@version"
  bool merge = true;  // false: only reachable as ${imports["name"]}
  SourceRange range;
  std::string path;
};

// A parsed environment definition (esc-api.md (c)): imports, then values over them.
struct Definition {
  std::shared_ptr<const std::string> environment;
  std::vector<Import> imports;
  Expression values;  // an object
  // Values whose names references look up elsewhere; left out of the object.
  std::vector<Expression::RefusedKey> reserved;
};

// Parses the text of a definition. Findings are appended; whatever they concern is left out of the
// result, so that the rest can still be evaluated for more findings.
Definition ParseDefinition(std::string_view text,
                           const std::shared_ptr<const std::string>& environment,
                           Diagnostics& diagnostics);

}  // namespace escagent::eval
