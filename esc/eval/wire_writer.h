#pragma once

#include <cstddef>
#include <string_view>

#include "base/secret.h"
#include "esc/eval/environment_json.h"
#include "esc/eval/evaluation.h"
#include "esc/eval/node.h"
#include "esc/eval/schema.h"
#include "esc/eval/schema_memo.h"

namespace escagent::eval {

// Writes the parts of ESC's environment JSON, for environment_json.cc. Its methods stand in
// node_json.cc, schema_json.cc and expression_json.cc.
class WireWriter {
 public:
  // Borrows `out`. `environment` is named where something has no place in a text.
  WireWriter(const EnvironmentJsonOptions& options, std::string_view environment,
             SecretBuilder& out)
      : options_(options), environment_(environment), out_(out) {}
  WireWriter(const WireWriter&) = delete;
  WireWriter& operator=(const WireWriter&) = delete;

  void WriteNode(const Node& node);
  void WriteMembers(const Node& object);
  void WriteSchema(const Schema& schema);
  // Of a value; it must outlive the writer.
  SchemaPtr KnownSchemaOf(const Node& node) { return SchemaOf(node, schemas_); }
  void WriteExpression(const Cell& cell);
  // The members of the root.
  void WriteExpressions(const EvaluatedEnvironment& environment);

 private:
  // Begins an object or array, and what follows in it.
  void Open(char bracket);
  void Close(char bracket);
  void Key(std::string_view key);
  void Next();
  void Text(std::string_view text);
  // What values override is repeated below each of them: left out when it becomes too much.
  bool HasRoom() const { return out_.Size() < std::size_t{64} << 20; }
  bool WritesBase() const { return !options_.omit_base && HasRoom(); }

  void WriteContent(const Node& node);
  void WriteRange(const SourceRange& range);

  void WriteSchemaList(std::string_view key, const std::vector<SchemaPtr>& schemas);
  void WriteSchemaMap(std::string_view key,
                      const std::map<std::string, SchemaPtr, std::less<>>& schemas);
  void WriteNumbers(const Schema& schema);
  void WriteNames(std::string_view key, const std::vector<std::string>& names);
  void WritePlain(const NodePtr& node);

  void WriteSchemaOf(const Cell& cell);
  void WriteShape(const Cell& cell);
  void WriteLateAccess(const Cell& cell);
  void WriteReference(const std::vector<Accessor>& reference, const Cell* const* targets);
  void WriteAccessor(const Accessor& accessor);
  void WriteInterpolation(const Cell& cell);
  void WriteObject(const Cell& cell);
  void WriteCall(const Cell& cell);
  void WriteArguments(const Cell& cell);
  void WriteArgumentSchema(const Cell& cell);

  const EnvironmentJsonOptions& options_;
  std::string_view environment_;
  SecretBuilder& out_;
  SchemaMemo schemas_;
  bool first_ = true;  // nothing is in the innermost container yet
};

}  // namespace escagent::eval
