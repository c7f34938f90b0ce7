#pragma once

#include "esc/eval/evaluation.h"
#include "esc/eval/node.h"
#include "esc/eval/schema.h"
#include "esc/eval/source.h"

namespace escagent::eval {

// Whether a schema accepts a value, with errors at the expressions that made the parts at fault. Of
// what is unknown, the schema must accept what the value's own schema says. What fails one of
// `anyOf` or `oneOf` is reported only when all do. Both schemas must be compiled.
bool Validate(const Node& value, const Schema& accept, Budget& budget, Diagnostics& diagnostics);

}  // namespace escagent::eval
