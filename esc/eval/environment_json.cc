#include "esc/eval/environment_json.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "esc/eval/evaluation.h"
#include "esc/eval/wire_writer.h"

namespace escagent::eval {

void WriteEnvironmentJson(const EvalResult& result, const EnvironmentJsonOptions& options,
                          SecretBuilder& out) {
  const Evaluation& evaluation = *result.evaluation;
  const EvaluatedEnvironment& root = evaluation.environments.front();
  WireWriter writer(options, *root.definition.environment, out);
  out.Append("{\"exprs\":");
  writer.WriteExpressions(root);
  out.Append(",\"properties\":");
  writer.WriteMembers(*evaluation.root);
  out.Append(",\"schema\":");
  const NodePtr& base = evaluation.root->base;
  const SchemaPtr schema = writer.KnownSchemaOf(*evaluation.root);
  // ESC merges what the imports say a second time.
  writer.WriteSchema(base ? *MergeSchemas(writer.KnownSchemaOf(*base), schema) : *schema);
  out.Append(",\"executionContext\":{\"properties\":");
  writer.WriteMembers(*evaluation.context);
  out.Append(",\"schema\":");
  writer.WriteSchema(*writer.KnownSchemaOf(*evaluation.context));
  out.Append('}');
  if (options.diagnostics && !result.diagnostics.empty()) {
    out.Append(",\"diagnostics\":");
    out.Append(DumpJson(esc::DiagnosticsToJson(result.diagnostics)));
  }
  out.Append('}');
}

void WriteExpressionsJson(const EvalResult& result, const EnvironmentJsonOptions& options,
                          SecretBuilder& out) {
  const EvaluatedEnvironment& root = result.evaluation->environments.front();
  WireWriter(options, *root.definition.environment, out).WriteExpressions(root);
}

bool WritePropertyJson(const EvalResult& result, const esc::PropertyPath& path,
                       const EnvironmentJsonOptions& options, SecretBuilder& out) {
  const NodePtr node = NodeAt(*result.evaluation, path);
  if (!node) return false;
  WireWriter(options, *result.evaluation->environments.front().definition.environment, out)
      .WriteNode(*node);
  return true;
}

}  // namespace escagent::eval
