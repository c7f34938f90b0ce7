#include <string>

#include "esc/eval/builtin.h"
#include "esc/eval/wire_writer.h"

namespace escagent::eval {

using ExpressionKind = Expression::Kind;

void WireWriter::WriteExpressions(const EvaluatedEnvironment& environment) {
  Open('{');
  for (std::size_t i = 0; i < environment.root.children.size(); ++i) {
    Key(environment.definition.values.members[i].key);
    WriteExpression(environment.root.children[i]);
  }
  Close('}');
}

void WireWriter::WriteExpression(const Cell& cell) {
  Open('{');
  if (cell.late) {
    WriteLateAccess(cell);
  } else {
    Key("range");
    WriteRange(cell.expression->range);
    Key("schema");
    WriteSchemaOf(cell);
    if (cell.base && WritesBase()) {
      Key("base");
      WriteExpression(*cell.base->definition);
    }
    WriteShape(cell);
  }
  Close('}');
}

void WireWriter::WriteSchemaOf(const Cell& cell) {
  const bool resolved = cell.resolved && cell.value;
  WriteSchema(resolved ? *KnownSchemaOf(*cell.value) : *SchemaOf(cell));
}

void WireWriter::WriteShape(const Cell& cell) {
  const Expression& expression = *cell.expression;
  switch (expression.kind) {
    case ExpressionKind::kNull:
    case ExpressionKind::kMissing:
      return;
    case ExpressionKind::kBool:
      Key("literal");
      return out_.Append(expression.boolean ? "true" : "false");
    case ExpressionKind::kNumber:
      Key("literal");
      return out_.Append(expression.text);
    case ExpressionKind::kString:
      Key("literal");
      return Text(expression.text);
    case ExpressionKind::kInterpolation:
      Key("interpolate");
      return WriteInterpolation(cell);
    case ExpressionKind::kSymbol:
      Key("symbol");
      return WriteReference(expression.parts.front().reference, cell.targets.data());
    case ExpressionKind::kArray:
      Key("list");
      Open('[');
      for (const Cell& element : cell.children) {
        Next();
        WriteExpression(element);
      }
      return Close(']');
    case ExpressionKind::kObject:
      return WriteObject(cell);
    case ExpressionKind::kCall:
      Key("builtin");
      return WriteCall(cell);
  }
}

// All the steps from the value that is unknown, as the first of them was made.
void WireWriter::WriteLateAccess(const Cell& cell) {
  std::vector<const Cell*> steps = {&cell};
  while (steps.back()->late->receiver->definition->late) {
    steps.push_back(steps.back()->late->receiver->definition);
  }
  const Cell& first = *steps.back();
  Key("range");
  WriteRange(first.expression->range);
  Key("schema");
  WriteSchemaOf(first);
  if (first.base && WritesBase()) {
    Key("base");
    WriteExpression(*first.base->definition);
  }
  Key("access");
  Open('{');
  Key("receiver");
  WriteRange(first.late->receiver->definition->expression->range);
  Key("accessors");
  Open('[');
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    Next();
    Open('{');
    WriteAccessor({.key = (*step)->late->key, .range = {}});
    Close('}');
  }
  Close(']');
  Close('}');
}

void WireWriter::WriteAccessor(const Accessor& accessor) {
  if (accessor.Name() != nullptr) {
    Key("key");
    Text(*accessor.Name());
  } else {
    Key("index");
    out_.Append(std::to_string(*accessor.Index()));
  }
  Key("range");
  WriteRange(accessor.range);
}

void WireWriter::WriteReference(const std::vector<Accessor>& reference,
                                const Cell* const* targets) {
  Open('[');
  for (std::size_t i = 0; i < reference.size(); ++i) {
    Next();
    Open('{');
    WriteAccessor(reference[i]);
    Key("value");
    WriteRange(targets[i] != nullptr ? targets[i]->expression->range : SourceRange());
    Close('}');
  }
  Close(']');
}

void WireWriter::WriteInterpolation(const Cell& cell) {
  const Cell* const* targets = cell.targets.data();
  Open('[');
  for (const InterpolationPart& part : cell.expression->parts) {
    Next();
    Open('{');
    if (!part.text.empty()) {
      Key("text");
      Text(part.text);
    }
    if (!part.reference.empty()) {
      Key("value");
      WriteReference(part.reference, targets);
      targets += part.reference.size();
    }
    Close('}');
  }
  Close(']');
}

void WireWriter::WriteObject(const Cell& cell) {
  const std::vector<Expression::Member>& members = cell.expression->members;
  Key("keyRanges");
  Open('{');
  for (const Expression::Member& member : members) {
    Key(member.key);
    WriteRange(member.key_range);
  }
  Close('}');
  Key("object");
  Open('{');
  for (std::size_t i = 0; i < cell.children.size(); ++i) {
    Key(members[i].key);
    WriteExpression(cell.children[i]);
  }
  Close('}');
}

void WireWriter::WriteCall(const Cell& cell) {
  const Expression::CallSyntax& call = *cell.expression->call;
  Open('{');
  Key("name");
  Text(call.name);
  Key("nameRange");
  WriteRange(call.name_range);
  Key("argSchema");
  WriteArgumentSchema(cell);
  Key("arg");
  WriteArguments(cell);
  Close('}');
}

void WireWriter::WriteArgumentSchema(const Cell& cell) {
  const Expression::CallSyntax& call = *cell.expression->call;
  const std::string_view name = call.builtin->name;
  const SchemaPtr any = AlwaysSchema();
  const SchemaPtr text = TypeSchema("string");
  const SchemaPtr inputs = cell.input_schema ? cell.input_schema : any;
  const SchemaPtr state = cell.state_schema ? cell.state_schema : any;
  SchemaPtr schema = any;
  if (name == "fn::fromBase64" || name == "fn::toBase64") schema = text;
  if (name == "fn::concat") schema = ArraySchema(ArraySchema(any));
  if (name == "fn::join") schema = TupleSchema({text, ArraySchema(text)});
  if (name == "fn::split") schema = TupleSchema({text, text});
  if (name == "fn::validate") schema = RecordSchema({{"schema", MetaSchema()}, {"value", any}});
  if (name == "fn::open") schema = RecordSchema({{"provider", text}, {"inputs", inputs}});
  if (name == "fn::open::") schema = inputs;
  if (name == "fn::rotate") {
    schema = RecordSchema({{"provider", text}, {"inputs", inputs}, {"state", state}});
  }
  if (name == "fn::rotate::") schema = RecordSchema({{"inputs", inputs}, {"state", state}});
  WriteSchema(*schema);
}

void WireWriter::WriteArguments(const Cell& cell) {
  const Expression::CallSyntax& call = *cell.expression->call;
  const std::string_view name = call.builtin->name;
  const auto object = [&](const SourceRange& range,
                          const std::vector<std::pair<std::string_view, const Cell*>>& members) {
    Open('{');
    Key("range");
    WriteRange(range);
    Key("object");
    Open('{');
    for (const auto& [key, member] : members) {
      Key(key);
      WriteExpression(*member);
    }
    Close('}');
    Close('}');
  };
  const std::vector<Cell>& parts = cell.children;
  // The parts of these have no place as a whole.
  if (name == "fn::open") return object({}, {{"provider", &parts[0]}, {"inputs", &parts[1]}});
  if (name == "fn::rotate") {
    return object({}, {{"provider", &parts[0]}, {"inputs", &parts[1]}, {"state", &parts[2]}});
  }
  if (name == "fn::rotate::") return object({}, {{"inputs", &parts[1]}, {"state", &parts[2]}});
  if (name == "fn::open::") return WriteExpression(parts[1]);
  if (name == "fn::validate") {
    return object(call.argument_range, {{"schema", &parts[0]}, {"value", &parts[1]}});
  }
  if (name == "fn::secret" && options_.redact_secrets) {
    Open('{');
    Key("range");
    WriteRange(call.argument_range);
    Key("literal");
    Text("[secret]");
    return Close('}');
  }
  if (name == "fn::secret" && parts[0].expression->kind == ExpressionKind::kObject) {
    return object(call.argument_range, {{"ciphertext", &parts[0].children[0]}});
  }
  if (parts.size() == 1) return WriteExpression(parts[0]);
  Open('{');
  Key("range");
  WriteRange(call.argument_range);
  Key("list");
  Open('[');
  for (const Cell& part : parts) {
    Next();
    WriteExpression(part);
  }
  Close(']');
  Close('}');
}

}  // namespace escagent::eval
