#pragma once

#include "base/secret.h"
#include "esc/eval/evaluator.h"
#include "esc/property_path.h"

namespace escagent::eval {

struct EnvironmentJsonOptions {
  // As servers before 3.259.0: no "value" member for null.
  bool omit_null_value = false;
  // As servers that evaluate without traces: no "trace" member.
  bool omit_trace = false;
  // Without what values override ("base"), of which there is more the more environments import each
  // other, and which whoever opens has no use for.
  bool omit_base = false;
  // "[secret]" instead of what is secret, in expressions and schemas too. For people: clients of
  // the API get everything.
  bool redact_secrets = false;
  // A member "diagnostics", as the answer of check has it, when there are any.
  bool diagnostics = false;
};

// Writes the outcome of an evaluation as ESC's API does (reference/esc-api.md "JSON shapes"):
// {"exprs", "properties", "schema", "executionContext"}. Secrets are in it, in the expressions and
// schemas too.
//
// What a value overrides ("base") can repeat the values below it many times; from 64 MiB on it is
// left out.
void WriteEnvironmentJson(const EvalResult& result, const EnvironmentJsonOptions& options,
                          SecretBuilder& out);

// Writes only "exprs".
void WriteExpressionsJson(const EvalResult& result, const EnvironmentJsonOptions& options,
                          SecretBuilder& out);

// Writes the value at a path of the properties in the same shape. Returns false, and writes
// nothing, when there is none.
bool WritePropertyJson(const EvalResult& result, const esc::PropertyPath& path,
                       const EnvironmentJsonOptions& options, SecretBuilder& out);

}  // namespace escagent::eval
