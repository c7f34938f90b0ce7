// Any text as a definition that imports itself and another one: its evaluation ends, within its
// limits, and what came out can be written. In both modes, as the offline server does it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "esc/eval/evaluator.h"
#include "esc/json_writer.h"

namespace {

using escagent::Result;
using escagent::Secret;
using escagent::SecretBuilder;
namespace eval = escagent::eval;

// Every name leads to one of two definitions.
class TwoDefinitions final : public eval::EnvironmentLoader {
 public:
  explicit TwoDefinitions(std::string_view text) : text_(text) {}
  Result<Secret> Load(std::string_view name) override {
    if (name.ends_with("self")) return Secret(text_);
    return Secret(std::string_view("values: {a: 1, b: {fn::secret: s}, c: {d: [x, null]}}\n"));
  }

 private:
  const std::string_view text_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  TwoDefinitions loader(text);
  for (const eval::EvalMode mode : {eval::EvalMode::kOpen, eval::EvalMode::kCheck}) {
    eval::EvalOptions options;
    options.mode = mode;
    options.loader = &loader;
    const eval::EvalResult result = eval::Evaluate(text, options);
    if (result.properties.kind() != escagent::esc::Value::Kind::kObject) std::abort();
    SecretBuilder json;
    escagent::esc::WriteJson(result.properties, {.redact_secrets = true}, json);
    for (const escagent::esc::Diagnostic& diagnostic : result.diagnostics) {
      if (diagnostic.ToString().empty()) std::abort();
    }
  }
  return 0;
}
