// What ESC sends: reading any bytes must neither crash nor hang, and what was read and is written
// again must read back equal.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/secret.h"
#include "esc/json_writer.h"
#include "esc/value_json.h"

using escagent::Result;
using escagent::SecretBuilder;
using escagent::esc::Value;

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// Unknown values are written without what they hold, so only the others come back whole.
void CheckNodeRoundTrip(const Value& value) {
  if (value.ContainsUnknown()) return;
  SecretBuilder out;
  escagent::esc::WriteValueNode(value, {.environment = "dev"}, out);
  const Result<Value> again = escagent::esc::ParseValueNode(out.Reveal(), "again");
  // The trace adds levels: at the limit of the depth the copy may be refused.
  Require(!again || again->Equals(value));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Value> node = escagent::esc::ParseValueNode(text, "node");
  if (node) {
    CheckNodeRoundTrip(*node);
    SecretBuilder json;
    escagent::esc::WriteJson(*node, {.indent = 2, .escape_html = true}, json);
  }
  const Result<Value> environment = escagent::esc::ParseEnvironment(text, "environment");
  if (environment) {
    Require(environment->kind() == Value::Kind::kObject);
    CheckNodeRoundTrip(*environment);
  }
  return 0;
}
