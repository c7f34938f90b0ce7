#include "esc/eval/evaluation.h"

#include <utility>

namespace escagent::eval {

SchemaPtr SchemaOf(const Cell& cell) {
  if (cell.resolved && cell.value) return SchemaOf(*cell.value);
  if (cell.schema) return cell.schema;
  Node literal;
  const Expression& expression = *cell.expression;
  switch (expression.kind) {
    case Expression::Kind::kNull:
      return TypeSchema("null");
    case Expression::Kind::kBool:
      literal.kind = esc::Value::Kind::kBool;
      literal.boolean = expression.boolean;
      break;
    case Expression::Kind::kNumber:
    case Expression::Kind::kString:
      literal.kind = expression.kind == Expression::Kind::kNumber ? esc::Value::Kind::kNumber
                                                                  : esc::Value::Kind::kString;
      literal.text = std::make_shared<const Secret>(std::string_view(expression.text));
      break;
    case Expression::Kind::kInterpolation:
      return TypeSchema("string");
    case Expression::Kind::kArray:
      return ArraySchema(AlwaysSchema());
    case Expression::Kind::kObject: {
      Schema schema;
      schema.type = "object";
      schema.additional_properties = AlwaysSchema();
      return std::make_shared<const Schema>(std::move(schema));
    }
    case Expression::Kind::kSymbol:
    case Expression::Kind::kCall:
    case Expression::Kind::kMissing:
      return AlwaysSchema();
  }
  return SchemaOf(literal);
}

const Cell* Evaluation::AddLateAccess(const SourceRange& at, NodePtr receiver, std::string_view key,
                                      NodePtr base) {
  Cell& cell = *AddCell(at, "");
  cell.base = std::move(base);
  cell.late = std::make_unique<Cell::LateAccess>(std::move(receiver), std::string(key));
  cell.schema = PropertyOf(*SchemaOf(*cell.late->receiver), key);
  return &cell;
}

Cell* Evaluation::AddCell(SourceRange range, std::string path) {
  Expression& expression = expressions.emplace_back();
  expression.kind = Expression::Kind::kMissing;
  expression.range = std::move(range);
  expression.path = std::move(path);
  Cell& cell = cells.emplace_back();
  cell.expression = &expression;
  cell.state = Cell::State::kDone;
  return &cell;
}

}  // namespace escagent::eval
