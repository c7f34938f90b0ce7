#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "esc/value.h"

// Values in the shape of ESC's REST API (reference/esc-api.md "JSON shapes"):
//   node        {"value": null|bool|number|string|[node]|{key: node}, "secret", "unknown", "trace"}
//   environment {"exprs", "properties": {key: node}, "schema", "executionContext"}
namespace escagent::esc {

// More values than this in one document are refused: a few bytes of JSON become many of memory.
inline constexpr std::size_t kMaxValues = 1'000'000;

// Reads one node. Lenient where servers differ: a missing "value" is null, "trace" may be absent or
// anything, unknown members are ignored, of equal keys the last one counts. "secret" on a container
// marks everything below it. Numbers keep their text; strings and numbers are put into Secrets as
// they are read, and "trace", "exprs", "schema" and "executionContext" are skipped without being
// kept. Errors are INVALID_ARGUMENT, name `what` and the position or the path of keys, and hold
// none of the text: not JSON, not UTF-8, nested over kMaxJsonDepth, a node that is no object, a
// number beyond the range of a double.
Result<Value> ParseValueNode(std::string_view text, std::string_view what);

// Reads an environment and gives its properties as one object. An absent "properties" is an empty
// environment, but a document of only unknown members is refused: it is some other server's answer.
Result<Value> ParseEnvironment(std::string_view text, std::string_view what);

struct WireOptions {
  // Named in the traces, whose ranges are empty.
  std::string environment = {};
  // As servers before 3.259.0: no "value" member for null.
  bool omit_null_value = false;
  // As servers that evaluate without traces: no "trace" member.
  bool omit_trace = false;
};

// Writes one node, as ParseValueNode() reads it. With both omissions off the official Go SDK, which
// insists on "value" and "trace", reads it. Unknown values are written as null with "unknown":
// true.
void WriteValueNode(const Value& value, const WireOptions& options, SecretBuilder& out);

}  // namespace escagent::esc
