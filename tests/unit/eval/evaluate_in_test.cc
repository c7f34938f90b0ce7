#include "tests/unit/eval/evaluate_in_test.h"

#include <gtest/gtest.h>

#include "esc/json_writer.h"

namespace escagent::eval {
namespace {

std::string ToJson(const esc::Value& value, bool redact) {
  SecretBuilder out;
  esc::WriteJson(value, {.indent = -1, .escape_html = false, .redact_secrets = redact}, out);
  return std::string(out.Reveal());
}

}  // namespace

Result<Secret> MapLoader::Load(std::string_view name) {
  ++loads_;
  const auto at = definitions_.find(std::string(name));
  if (at == definitions_.end()) return NotFound("no such environment");
  return Secret(std::string_view(at->second));
}

EvalResult EvaluateText(std::string_view definition, EnvironmentLoader* loader) {
  EvalOptions options;
  options.environment = "demo/root";
  options.identity = {.user_id = "USER_123", .user_login = "ada", .organization = "acme"};
  options.loader = loader;
  return Evaluate(definition, options);
}

std::string Revealed(const EvalResult& result) { return ToJson(result.properties, false); }
std::string Redacted(const EvalResult& result) { return ToJson(result.properties, true); }

std::string Findings(const EvalResult& result) {
  std::string lines;
  for (const esc::Diagnostic& finding : result.diagnostics) {
    if (!lines.empty()) lines += '\n';
    if (finding.severity == esc::Diagnostic::Severity::kWarning) lines += "warning ";
    lines += std::to_string(finding.line) + ":" + std::to_string(finding.column) + " " +
             finding.path + " " + finding.summary;
  }
  return lines;
}

std::string ValueOf(std::string_view definition, EnvironmentLoader* loader) {
  const EvalResult result = EvaluateText(definition, loader);
  EXPECT_EQ(Findings(result), "") << definition;
  const esc::Value* value = result.properties.Find("v");
  if (value == nullptr) return "(no v)";
  return ToJson(*value, false);
}

}  // namespace escagent::eval
