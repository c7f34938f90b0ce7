#include "agent/template/node.h"

#include "agent/template/quote.h"

namespace escagent::gotemplate {

std::string Describe(const Operand& operand) {
  std::string text;
  switch (operand.kind) {
    case Operand::Kind::kDot:
      return ".";
    case Operand::Kind::kNil:
      return "nil";
    case Operand::Kind::kBool:
    case Operand::Kind::kNumber:
    case Operand::Kind::kString:
    case Operand::Kind::kIdentifier:
      return operand.source;
    case Operand::Kind::kPipe:
      return "(" + Describe(*operand.pipe) + ")";
    case Operand::Kind::kVariable:
      for (const std::string& name : operand.names) text += (text.empty() ? "" : ".") + name;
      return text;
    case Operand::Kind::kChain:
      text = Describe(*operand.base);
      break;
    case Operand::Kind::kField:
      break;
  }
  for (const std::string& name : operand.names) text += "." + name;
  return text;
}

std::string Describe(const Command& command) {
  std::string text;
  for (const Operand& operand : command.operands) {
    if (!text.empty()) text += " ";
    text += Describe(operand);
  }
  return text;
}

std::string Describe(const Pipe& pipe) {
  std::string text;
  for (const std::string& variable : pipe.variables) {
    if (!text.empty()) text += ", ";
    text += variable;
  }
  if (!text.empty()) text += pipe.assigns ? " = " : " := ";
  for (const Command& command : pipe.commands) {
    if (&command != &pipe.commands.front()) text += " | ";
    text += Describe(command);
  }
  return text;
}

std::string Describe(const Statement& statement) {
  const std::string pipe = statement.pipe ? Describe(*statement.pipe) : "";
  switch (statement.kind) {
    case Statement::Kind::kText:
      return "text";
    case Statement::Kind::kAction:
      return "{{" + pipe + "}}";
    case Statement::Kind::kIf:
      return "{{if " + pipe + "}}";
    case Statement::Kind::kRange:
      return "{{range " + pipe + "}}";
    case Statement::Kind::kWith:
      return "{{with " + pipe + "}}";
    case Statement::Kind::kTemplate:
      return "{{template " + GoQuote(statement.text) + (pipe.empty() ? "" : " " + pipe) + "}}";
    case Statement::Kind::kBreak:
      return "{{break}}";
    case Statement::Kind::kContinue:
      return "{{continue}}";
  }
  return {};
}

}  // namespace escagent::gotemplate
