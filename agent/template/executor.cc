#include "agent/template/executor.h"

#include <string>
#include <utility>
#include <vector>

#include "agent/template/format.h"
#include "agent/template/quote.h"

namespace escagent::gotemplate {

Result<Secret> Executor::Run(const Value& data) {
  evaluator_.Swap({.template_name = name_, .variables = {{.name = "$", .value = data}}});
  ESC_RETURN_IF_ERROR(WalkBlock(data, templates_.find(name_)->second));
  return out_.Finish();
}

Result<Executor::Flow> Executor::WalkBlock(const Value& dot, const Block& block) {
  ESC_RETURN_IF_ERROR(evaluator_.Enter());
  for (const Statement& statement : block) {
    ESC_ASSIGN_OR_RETURN(const Flow flow, Walk(dot, statement));
    if (flow != Flow::kOn) {
      evaluator_.Leave();
      return flow;
    }
  }
  evaluator_.Leave();
  return Flow::kOn;
}

Result<Executor::Flow> Executor::Walk(const Value& dot, const Statement& statement) {
  evaluator_.At(&statement);
  ESC_RETURN_IF_ERROR(evaluator_.Step());
  switch (statement.kind) {
    case Statement::Kind::kText:
      ESC_RETURN_IF_ERROR(Write(statement.text));
      break;
    case Statement::Kind::kAction: {
      ESC_ASSIGN_OR_RETURN(const Value value, evaluator_.EvalPipeline(dot, *statement.pipe));
      evaluator_.At(&statement);
      if (statement.pipe->variables.empty()) ESC_RETURN_IF_ERROR(Print(value));
      break;
    }
    case Statement::Kind::kIf:
    case Statement::Kind::kWith:
      return WalkIfOrWith(dot, statement);
    case Statement::Kind::kRange:
      return WalkRange(dot, statement);
    case Statement::Kind::kTemplate:
      ESC_RETURN_IF_ERROR(WalkTemplate(dot, statement));
      break;
    case Statement::Kind::kBreak:
      return Flow::kBreak;
    case Statement::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kOn;
}

Result<Executor::Flow> Executor::WalkIfOrWith(const Value& dot, const Statement& statement) {
  const std::size_t mark = evaluator_.Mark();
  ESC_ASSIGN_OR_RETURN(const Value value, evaluator_.EvalPipeline(dot, *statement.pipe));
  Result<Flow> flow = Flow::kOn;
  if (value.Truth()) {
    flow = WalkBlock(statement.kind == Statement::Kind::kWith ? value : dot, statement.body);
  } else {
    flow = WalkBlock(dot, statement.otherwise);
  }
  evaluator_.Release(mark);
  return flow;
}

Status Executor::WalkTemplate(const Value& dot, const Statement& statement) {
  const auto found = templates_.find(statement.text);
  if (found == templates_.end()) {
    return evaluator_.Fail("template " + GoQuote(statement.text) + " not defined");
  }
  Value data;
  if (statement.pipe) {
    ESC_ASSIGN_OR_RETURN(data, evaluator_.EvalPipeline(dot, *statement.pipe));
  }
  Evaluator::Frame caller =
      evaluator_.Swap({.template_name = found->first, .variables = {{.name = "$", .value = data}}});
  ESC_RETURN_IF_ERROR(WalkBlock(data, found->second));
  evaluator_.Swap(std::move(caller));
  return {};
}

Result<Executor::Flow> Executor::WalkRange(const Value& dot, const Statement& statement) {
  const std::size_t mark = evaluator_.Mark();
  ESC_ASSIGN_OR_RETURN(const Value over, evaluator_.EvalPipeline(dot, *statement.pipe));
  ESC_ASSIGN_OR_RETURN(const bool any, Iterate(over, statement));
  Result<Flow> flow = Flow::kOn;
  if (!any) flow = WalkBlock(dot, statement.otherwise);
  evaluator_.Release(mark);
  return flow;
}

Result<bool> Executor::Iterate(const Value& over, const Statement& statement) {
  if (over.IsNil()) return false;
  if (over.IsInteger()) return IterateInteger(over, statement);
  if (over.IsList()) return IterateList(over.list(), statement);
  if (over.IsMap()) return IterateMap(over.map(), statement);
  return evaluator_.Fail("range can't iterate over a value of type " +
                         std::string(over.TypeName()));
}

Result<bool> Executor::IterateInteger(const Value& over, const Statement& statement) {
  if (statement.pipe->variables.size() > 1) {
    return evaluator_.Fail("can't use a number to iterate over more than one variable");
  }
  for (std::int64_t i = 0; i < over.integer(); ++i) {
    const Value element = over.kind() == Value::Kind::kInt ? Value::Int(i) : Value::Int64(i);
    ESC_ASSIGN_OR_RETURN(const Flow flow, WalkElement({}, element, statement));
    if (flow == Flow::kBreak) break;
  }
  return over.integer() > 0;
}

Result<bool> Executor::IterateList(const List& list, const Statement& statement) {
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Value index = Value::Int(static_cast<std::int64_t>(i));
    ESC_ASSIGN_OR_RETURN(const Flow flow, WalkElement(index, list.At(i), statement));
    if (flow == Flow::kBreak) break;
  }
  return !list.items.empty();
}

// The body may change the map: what it adds is not visited, as the order was taken before.
Result<bool> Executor::IterateMap(const Map& map, const Statement& statement) {
  ESC_RETURN_IF_ERROR(evaluator_.Step(map.items.size()));
  const std::vector<std::pair<std::string_view, Value>> items(map.items.begin(), map.items.end());
  for (const auto& [key, item] : items) {
    const Value element = item.IsNil() ? Value::NilInterface() : item;
    ESC_ASSIGN_OR_RETURN(const Flow flow, WalkElement(Value::Text(key), element, statement));
    if (flow == Flow::kBreak) break;
  }
  return !items.empty();
}

Result<Executor::Flow> Executor::WalkElement(const Value& key, const Value& element,
                                             const Statement& statement) {
  ESC_RETURN_IF_ERROR(evaluator_.Step());
  const std::vector<std::string>& variables = statement.pipe->variables;
  if (statement.pipe->assigns) {
    if (variables.size() > 1) ESC_RETURN_IF_ERROR(evaluator_.Set(variables[0], key));
    ESC_RETURN_IF_ERROR(evaluator_.Set(variables.back(), element));
  } else if (!variables.empty()) {
    evaluator_.SetTop(1, element);
    if (variables.size() > 1) evaluator_.SetTop(2, key);
  }
  const std::size_t mark = evaluator_.Mark();
  Result<Flow> flow = WalkBlock(element, statement.body);
  evaluator_.Release(mark);
  return flow;
}

Status Executor::Print(const Value& value) {
  if (value.IsText()) return Write(value.text());
  if (value.IsNil()) return Write("<no value>");
  std::string text = ToText(value, heap_);
  ESC_RETURN_IF_ERROR(evaluator_.Step());
  const Status status = Write(text);
  WipeString(text);
  return status;
}

Status Executor::Write(std::string_view text) {
  if (text.size() > heap_.limits().max_output - out_.Size()) {
    return evaluator_.Fail(
        "the output has more than " + std::to_string(heap_.limits().max_output) + " bytes",
        Code::kResourceExhausted);
  }
  out_.Append(text);
  return {};
}

}  // namespace escagent::gotemplate
