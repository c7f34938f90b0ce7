#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "agent/template/function.h"
#include "agent/template/number.h"
#include "agent/template/quote.h"
#include "agent/template/runes.h"
#include "agent/template/tree_parser.h"

namespace escagent::gotemplate {

namespace {

using TokenKind = Token::Kind;

constexpr std::size_t kMaxVariables = 1000;

}  // namespace

Result<Pipe> TreeParser::ParsePipeline(std::string_view context, TokenKind end) {
  Pipe pipe;
  pipe.position = PeekNonSpace().position;
  ESC_RETURN_IF_ERROR(ParseDeclarations(pipe, context));
  while (true) {
    const Token token = NextNonSpace();
    if (token.kind == end) {
      ESC_RETURN_IF_ERROR(CheckPipeline(pipe, context));
      return pipe;
    }
    switch (token.kind) {
      case TokenKind::kBool:
      case TokenKind::kCharConstant:
      case TokenKind::kComplex:
      case TokenKind::kDot:
      case TokenKind::kField:
      case TokenKind::kIdentifier:
      case TokenKind::kNumber:
      case TokenKind::kNil:
      case TokenKind::kRawString:
      case TokenKind::kString:
      case TokenKind::kVariable:
      case TokenKind::kLeftParen: {
        Backup();
        ESC_ASSIGN_OR_RETURN(Command command, ParseCommand());
        pipe.commands.push_back(std::move(command));
        break;
      }
      default:
        return Unexpected(token, context);
    }
  }
}

// Variables are looked for one by one.
Status TreeParser::Declare(Pipe& pipe, const std::string& variable) {
  if (variables_.size() >= kMaxVariables) {
    return Fail("more than " + std::to_string(kMaxVariables) + " variables");
  }
  pipe.variables.push_back(variable);
  variables_.push_back(variable);
  return {};
}

// "$x :=", "$x =", and for range "$i, $x :="; nothing when the pipeline starts otherwise.
Status TreeParser::ParseDeclarations(Pipe& pipe, std::string_view context) {
  while (PeekNonSpace().kind == TokenKind::kVariable) {
    Token variable = NextNonSpace();
    Token after = Peek();
    const Token next = PeekNonSpace();
    if (next.kind == TokenKind::kAssign || next.kind == TokenKind::kDeclare) {
      NextNonSpace();
      pipe.assigns = next.kind == TokenKind::kAssign;
      ESC_RETURN_IF_ERROR(Declare(pipe, variable.text));
      return {};
    }
    if (next.kind != TokenKind::kChar || next.text != ",") {
      if (after.kind == TokenKind::kSpace) {
        Backup(std::move(variable), std::move(after));
      } else {
        Backup(std::move(variable));
      }
      return {};
    }
    NextNonSpace();
    ESC_RETURN_IF_ERROR(Declare(pipe, variable.text));
    if (context != "range" || pipe.variables.size() >= 2) {
      return Fail("too many declarations in " + std::string(context));
    }
    const TokenKind then = PeekNonSpace().kind;
    if (then != TokenKind::kVariable && then != TokenKind::kRightDelimiter &&
        then != TokenKind::kRightParen) {
      return Fail("range can only initialize variables");
    }
  }
  return {};
}

Status TreeParser::CheckPipeline(const Pipe& pipe, std::string_view context) const {
  if (pipe.commands.empty()) return Fail("missing value for " + std::string(context));
  for (std::size_t i = 1; i < pipe.commands.size(); ++i) {
    if (pipe.commands[i].operands[0].IsLiteral()) {
      return Fail("non executable command in pipeline stage " + std::to_string(i + 1));
    }
  }
  return {};
}

Result<Command> TreeParser::ParseCommand() {
  Command command;
  command.position = PeekNonSpace().position;
  while (true) {
    PeekNonSpace();
    Operand operand;
    ESC_ASSIGN_OR_RETURN(const bool found, ParseOperand(operand));
    if (found) command.operands.push_back(std::move(operand));
    const Token token = Next();
    if (token.kind == TokenKind::kSpace) continue;
    if (token.kind == TokenKind::kRightDelimiter || token.kind == TokenKind::kRightParen) {
      Backup();
    } else if (token.kind != TokenKind::kPipe) {
      return Unexpected(token, "operand");
    }
    break;
  }
  if (command.operands.empty()) return Fail("empty command");
  return command;
}

// A term and the fields behind it. False when there is none.
Result<bool> TreeParser::ParseOperand(Operand& operand) {
  ESC_ASSIGN_OR_RETURN(const bool found, ParseTerm(operand));
  if (!found) return false;
  if (Peek().kind == TokenKind::kField) ESC_RETURN_IF_ERROR(ParseFields(operand));
  return true;
}

Status TreeParser::ParseFields(Operand& operand) {
  const std::size_t position = Peek().position;
  std::vector<std::string> fields;
  while (Peek().kind == TokenKind::kField) fields.push_back(Next().text.substr(1));
  if (operand.IsLiteral()) {
    return Fail("unexpected . after term " + GoQuote(Describe(operand)));
  }
  if (operand.kind != Operand::Kind::kField && operand.kind != Operand::Kind::kVariable) {
    auto base = std::make_unique<Operand>(std::move(operand));
    operand = Operand{};
    operand.kind = Operand::Kind::kChain;
    operand.base = std::move(base);
  }
  operand.position = position;
  std::ranges::move(fields, std::back_inserter(operand.names));
  return {};
}

Result<bool> TreeParser::ParseTerm(Operand& operand) {
  const Token token = NextNonSpace();
  operand.position = token.position;
  operand.source = token.text;
  switch (token.kind) {
    case TokenKind::kIdentifier:
      ESC_RETURN_IF_ERROR(CheckFunction(token.text));
      operand.kind = Operand::Kind::kIdentifier;
      return true;
    case TokenKind::kDot:
      operand.kind = Operand::Kind::kDot;
      return true;
    case TokenKind::kNil:
      operand.kind = Operand::Kind::kNil;
      return true;
    case TokenKind::kVariable:
      ESC_RETURN_IF_ERROR(CheckVariable(token.text));
      operand.kind = Operand::Kind::kVariable;
      operand.names.push_back(token.text);
      return true;
    case TokenKind::kField:
      operand.kind = Operand::Kind::kField;
      operand.names.push_back(token.text.substr(1));
      return true;
    case TokenKind::kBool:
      operand.kind = Operand::Kind::kBool;
      return true;
    case TokenKind::kCharConstant:
    case TokenKind::kComplex:
    case TokenKind::kNumber:
      ESC_RETURN_IF_ERROR(ParseNumber(token, operand));
      return true;
    case TokenKind::kLeftParen: {
      ESC_RETURN_IF_ERROR(Enter());
      ESC_ASSIGN_OR_RETURN(Pipe pipe,
                           ParsePipeline("parenthesized pipeline", TokenKind::kRightParen));
      Leave();
      operand.kind = Operand::Kind::kPipe;
      operand.position = pipe.position;
      operand.pipe = std::make_unique<Pipe>(std::move(pipe));
      return true;
    }
    case TokenKind::kString:
    case TokenKind::kRawString: {
      std::optional<std::string> text = GoUnquote(token.text);
      if (!text) return Fail("invalid syntax");
      operand.kind = Operand::Kind::kString;
      operand.text = *std::move(text);
      return true;
    }
    default:
      Backup();
      return false;
  }
}

Status TreeParser::CheckFunction(const std::string& name) const {
  if (const std::string_view why = WhyRefused(name); !why.empty()) {
    return Fail("function " + GoQuote(name) + " is not available: " + std::string(why));
  }
  if (FindFunction(name) == nullptr) return Fail("function " + GoQuote(name) + " not defined");
  return {};
}

Status TreeParser::CheckVariable(const std::string& name) const {
  if (std::ranges::find(variables_, name) == variables_.end()) {
    return Fail("undefined variable " + GoQuote(name));
  }
  return {};
}

// An integer may stand for a float, and a float without a fraction for an integer.
Status TreeParser::ParseNumber(const Token& token, Operand& operand) const {
  operand.kind = Operand::Kind::kNumber;
  Number& number = operand.number;
  const std::string& text = token.text;
  if (token.kind == TokenKind::kCharConstant) {
    const std::optional<std::string> character = GoUnquote(text);
    if (!character) return Fail("malformed character constant: " + text);
    number.integer = DecodeRune(*character).value;
    number.floating = static_cast<double>(*number.integer);
    return {};
  }
  if (token.kind == TokenKind::kComplex || text.ends_with('i')) {
    return Fail("complex numbers are not available: " + text);
  }
  number.integer = ParseInteger(text, 0);
  if (number.integer) {
    number.floating = static_cast<double>(*number.integer);
    return {};
  }
  number.floating = ParseFloat(text);
  if (!number.floating) return Fail("illegal number syntax: " + GoQuote(text));
  if (text.find_first_of(".eEpP") == std::string::npos) {
    return Fail("integer overflow: " + GoQuote(text));
  }
  number.is_float = true;
  const double value = *number.floating;
  if (std::abs(value) < 0x1p63 && std::trunc(value) == value) {
    number.integer = static_cast<std::int64_t>(value);
  }
  return {};
}

}  // namespace escagent::gotemplate
