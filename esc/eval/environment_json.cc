#include "esc/eval/environment_json.h"

#include <optional>

#include "esc/value_json.h"

namespace escagent::eval {
namespace {

esc::SourcePosition ToWire(const Position& position) {
  return {
      .line = position.line, .column = position.column, .byte = static_cast<int>(position.byte)};
}

esc::WireOptions ToWire(const EvalResult& result, const EnvironmentJsonOptions& options) {
  esc::WireOptions wire;
  wire.omit_null_value = options.omit_null_value;
  wire.omit_trace = options.omit_trace;
  wire.range = [&result](const esc::PropertyPath& path) -> std::optional<esc::SourceRange> {
    const auto range = result.RangeOf(path);
    if (!range) return std::nullopt;
    return esc::SourceRange{.environment = std::string(range->EnvironmentName()),
                            .begin = ToWire(range->begin),
                            .end = ToWire(range->end)};
  };
  return wire;
}

}  // namespace

void WriteEnvironmentJson(const EvalResult& result, const EnvironmentJsonOptions& options,
                          SecretBuilder& out) {
  esc::WriteEnvironment(result.properties, ToWire(result, options),
                        options.diagnostics ? std::span<const esc::Diagnostic>(result.diagnostics)
                                            : std::span<const esc::Diagnostic>(),
                        out);
}

bool WritePropertyJson(const EvalResult& result, const esc::PropertyPath& path,
                       const EnvironmentJsonOptions& options, SecretBuilder& out) {
  const auto value = path.Lookup(result.properties);
  if (!value) return false;
  esc::WriteValueNode(**value, path, ToWire(result, options), out);
  return true;
}

}  // namespace escagent::eval
