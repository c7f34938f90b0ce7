#include <memory>
#include <string>
#include <utility>

#include "agent/template/quote.h"
#include "agent/template/tree_parser.h"

namespace escagent::gotemplate {

namespace {

using TokenKind = Token::Kind;

}  // namespace

Token TreeParser::Next() {
  if (peeked_ > 0) {
    --peeked_;
  } else {
    tokens_[0] = lexer_.Next();
  }
  return tokens_[peeked_];
}

Token TreeParser::Peek() {
  if (peeked_ == 0) {
    tokens_[0] = lexer_.Next();
    peeked_ = 1;
  }
  return tokens_[peeked_ - 1];
}

Token TreeParser::NextNonSpace() {
  Token token = Next();
  while (token.kind == TokenKind::kSpace) token = Next();
  return token;
}

Token TreeParser::PeekNonSpace() {
  Token token = NextNonSpace();
  Backup();
  return token;
}

void TreeParser::Backup(Token before) {
  tokens_[1] = std::move(before);
  peeked_ = 2;
}

void TreeParser::Backup(Token first, Token second) {
  tokens_[1] = std::move(second);
  tokens_[2] = std::move(first);
  peeked_ = 3;
}

std::unexpected<Error> TreeParser::Fail(std::string_view cause) const {
  return InvalidArgument("template: " + std::string(name_) + ":" + std::to_string(tokens_[0].line) +
                         ": " + std::string(cause));
}

std::unexpected<Error> TreeParser::Unexpected(const Token& token, std::string_view context) const {
  if (token.kind != TokenKind::kError) {
    return Fail("unexpected " + token.Describe() + " in " + std::string(context));
  }
  std::string cause = token.text;
  if (action_line_ != 0 && action_line_ != token.line) {
    if (!cause.ends_with(" action")) cause += " in action";
    cause += " started at " + std::string(name_) + ":" + std::to_string(action_line_);
  }
  return Fail(cause);
}

Status TreeParser::Expect(TokenKind kind, std::string_view context) {
  const Token token = NextNonSpace();
  if (token.kind != kind) return Unexpected(token, context);
  return {};
}

// Blocks and parentheses are parsed by recursion.
Status TreeParser::Enter() {
  if (++depth_ > limits_.max_depth) {
    return Fail("blocks and parentheses are nested more than " + std::to_string(limits_.max_depth) +
                " deep");
  }
  return {};
}

// An empty template gives way to another of the same name.
Status TreeParser::Add(std::string_view name, Block block) {
  const auto found = templates_.find(name);
  if (found == templates_.end()) {
    templates_.emplace(name, std::move(block));
  } else if (IsEmptyBlock(found->second)) {
    found->second = std::move(block);
  } else if (!IsEmptyBlock(block)) {
    return Fail("template: multiple definition of template " + GoQuote(name));
  }
  return {};
}

Status TreeParser::ParseMain() {
  Block main;
  while (Peek().kind != TokenKind::kEnd) {
    if (Peek().kind == TokenKind::kLeftDelimiter) {
      Token delimiter = Next();
      if (NextNonSpace().kind == TokenKind::kDefine) {
        TreeParser definition(name_, lexer_, templates_, limits_);
        ESC_RETURN_IF_ERROR(definition.ParseDefinition());
        continue;
      }
      Backup(std::move(delimiter));
    }
    ESC_ASSIGN_OR_RETURN(Item item, ParseTextOrAction());
    if (item.kind == Item::Kind::kEnd) return Fail("unexpected {{end}}");
    if (item.kind == Item::Kind::kElse) return Fail("unexpected {{else}}");
    main.push_back(std::move(item.statement));
  }
  return Add(name_, std::move(main));
}

Result<std::string> TreeParser::ParseName(const Token& token, std::string_view context) {
  if (token.kind != TokenKind::kString && token.kind != TokenKind::kRawString) {
    return Unexpected(token, context);
  }
  std::optional<std::string> name = GoUnquote(token.text);
  if (!name) return Fail("invalid syntax");
  return *std::move(name);
}

// The keyword define is behind.
Status TreeParser::ParseDefinition() {
  static constexpr std::string_view kContext = "define clause";
  ESC_ASSIGN_OR_RETURN(const std::string name, ParseName(NextNonSpace(), kContext));
  ESC_RETURN_IF_ERROR(Expect(TokenKind::kRightDelimiter, kContext));
  ESC_ASSIGN_OR_RETURN(Block block, ParseNested(kContext));
  return Add(name, std::move(block));
}

// The body of a template of its own, up to its end.
Result<Block> TreeParser::ParseNested(std::string_view context) {
  ESC_ASSIGN_OR_RETURN(List list, ParseList());
  if (list.ended_by != Item::Kind::kEnd) {
    return Fail("unexpected {{else}} in " + std::string(context));
  }
  return std::move(list.block);
}

Result<TreeParser::List> TreeParser::ParseList() {
  ESC_RETURN_IF_ERROR(Enter());
  List list;
  while (PeekNonSpace().kind != TokenKind::kEnd) {
    ESC_ASSIGN_OR_RETURN(Item item, ParseTextOrAction());
    if (item.kind != Item::Kind::kStatement) {
      list.ended_by = item.kind;
      Leave();
      return list;
    }
    list.block.push_back(std::move(item.statement));
  }
  return Fail("unexpected EOF");
}

Result<TreeParser::Item> TreeParser::ParseTextOrAction() {
  Token token = NextNonSpace();
  if (token.kind == TokenKind::kText) {
    Item item;
    item.statement.position = token.position;
    item.statement.text = std::move(token.text);
    return item;
  }
  if (token.kind != TokenKind::kLeftDelimiter) return Unexpected(token, "input");
  action_line_ = token.line;
  Result<Item> item = ParseAction();
  action_line_ = 0;
  return item;
}

// The left delimiter is behind.
Result<TreeParser::Item> TreeParser::ParseAction() {
  Item item;
  const Token token = NextNonSpace();
  Result<Statement> statement = Statement{};
  switch (token.kind) {
    case TokenKind::kEndKeyword:
      ESC_RETURN_IF_ERROR(Expect(TokenKind::kRightDelimiter, "end"));
      item.kind = Item::Kind::kEnd;
      return item;
    case TokenKind::kElse:
      return ParseElse();
    case TokenKind::kBlock:
      statement = ParseBlock();
      break;
    case TokenKind::kBreak:
    case TokenKind::kContinue:
      statement = ParseLoopControl(token);
      break;
    case TokenKind::kIf:
      statement = ParseControl(Statement::Kind::kIf, "if");
      break;
    case TokenKind::kRange:
      statement = ParseControl(Statement::Kind::kRange, "range");
      break;
    case TokenKind::kWith:
      statement = ParseControl(Statement::Kind::kWith, "with");
      break;
    case TokenKind::kTemplate:
      statement = ParseTemplate();
      break;
    default: {
      Backup();
      statement->kind = Statement::Kind::kAction;
      statement->position = Peek().position;
      ESC_ASSIGN_OR_RETURN(Pipe pipe, ParsePipeline("command", TokenKind::kRightDelimiter));
      statement->pipe = std::make_unique<Pipe>(std::move(pipe));
    }
  }
  ESC_ASSIGN_OR_RETURN(item.statement, std::move(statement));
  return item;
}

// `else if` and `else with` leave their second word for ParseControl.
Result<TreeParser::Item> TreeParser::ParseElse() {
  Item item;
  item.kind = Item::Kind::kElse;
  const TokenKind next = PeekNonSpace().kind;
  if (next != TokenKind::kIf && next != TokenKind::kWith) {
    ESC_RETURN_IF_ERROR(Expect(TokenKind::kRightDelimiter, "else"));
  }
  return item;
}

Result<Statement> TreeParser::ParseControl(Statement::Kind kind, std::string_view context) {
  const std::size_t variables = variables_.size();
  Statement statement;
  statement.kind = kind;
  ESC_ASSIGN_OR_RETURN(Pipe pipe, ParsePipeline(context, TokenKind::kRightDelimiter));
  statement.position = pipe.position;
  statement.pipe = std::make_unique<Pipe>(std::move(pipe));
  if (kind == Statement::Kind::kRange) ++range_depth_;
  ESC_ASSIGN_OR_RETURN(List list, ParseList());
  if (kind == Statement::Kind::kRange) --range_depth_;
  statement.body = std::move(list.block);
  if (list.ended_by == Item::Kind::kElse) {
    ESC_RETURN_IF_ERROR(ParseOtherwise(statement, context));
  }
  variables_.resize(variables);
  return statement;
}

// `else if` is an if inside the else, whose end ends both.
Status TreeParser::ParseOtherwise(Statement& statement, std::string_view context) {
  const TokenKind next = Peek().kind;
  const bool chained = (statement.kind == Statement::Kind::kIf && next == TokenKind::kIf) ||
                       (statement.kind == Statement::Kind::kWith && next == TokenKind::kWith);
  if (chained) {
    Next();
    ESC_RETURN_IF_ERROR(Enter());
    ESC_ASSIGN_OR_RETURN(Statement inner, ParseControl(statement.kind, context));
    Leave();
    statement.otherwise.push_back(std::move(inner));
    return {};
  }
  ESC_ASSIGN_OR_RETURN(List list, ParseList());
  if (list.ended_by != Item::Kind::kEnd) return Fail("expected end; found {{else}}");
  statement.otherwise = std::move(list.block);
  return {};
}

Result<Statement> TreeParser::ParseLoopControl(const Token& token) {
  const std::string action = "{{" + token.text + "}}";
  if (const Token next = NextNonSpace(); next.kind != TokenKind::kRightDelimiter) {
    return Unexpected(next, action);
  }
  if (range_depth_ == 0) return Fail(action + " outside {{range}}");
  Statement statement;
  statement.kind =
      token.kind == TokenKind::kBreak ? Statement::Kind::kBreak : Statement::Kind::kContinue;
  statement.position = token.position;
  return statement;
}

// A definition and its use in one.
Result<Statement> TreeParser::ParseBlock() {
  static constexpr std::string_view kContext = "block clause";
  const Token token = NextNonSpace();
  Statement statement;
  statement.kind = Statement::Kind::kTemplate;
  statement.position = token.position;
  ESC_ASSIGN_OR_RETURN(statement.text, ParseName(token, kContext));
  ESC_ASSIGN_OR_RETURN(Pipe pipe, ParsePipeline(kContext, TokenKind::kRightDelimiter));
  statement.pipe = std::make_unique<Pipe>(std::move(pipe));
  TreeParser definition(name_, lexer_, templates_, limits_);
  definition.depth_ = depth_;
  ESC_ASSIGN_OR_RETURN(Block block, definition.ParseNested(kContext));
  ESC_RETURN_IF_ERROR(definition.Add(statement.text, std::move(block)));
  return statement;
}

Result<Statement> TreeParser::ParseTemplate() {
  static constexpr std::string_view kContext = "template clause";
  const Token token = NextNonSpace();
  Statement statement;
  statement.kind = Statement::Kind::kTemplate;
  statement.position = token.position;
  ESC_ASSIGN_OR_RETURN(statement.text, ParseName(token, kContext));
  if (NextNonSpace().kind != TokenKind::kRightDelimiter) {
    Backup();
    ESC_ASSIGN_OR_RETURN(Pipe pipe, ParsePipeline(kContext, TokenKind::kRightDelimiter));
    statement.pipe = std::make_unique<Pipe>(std::move(pipe));
  }
  return statement;
}

}  // namespace escagent::gotemplate
