#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "agent/template/lexer.h"
#include "agent/template/limits.h"
#include "agent/template/node.h"
#include "base/result.h"

namespace escagent::gotemplate {

// Whether a template has nothing but space.
bool IsEmptyBlock(const Block& block);

// Parses one template: the main one, or the body of a define or block action, which shares the
// lexer and has variables of its own. Recursive descent with three tokens of look-ahead, in the
// order of Go's parser, whose errors depend on it. Statements are in statement_parser.cc, pipelines
// in pipeline_parser.cc.
class TreeParser {
 public:
  TreeParser(std::string_view name, Lexer& lexer, Templates& templates, const Limits& limits)
      : name_(name), lexer_(lexer), templates_(templates), limits_(limits) {}
  TreeParser(const TreeParser&) = delete;
  TreeParser& operator=(const TreeParser&) = delete;

  // Reads to the end and adds the main template.
  Status ParseMain();

 private:
  // A statement, or the end or else action that ends a list of them.
  struct Item {
    enum class Kind { kStatement, kEnd, kElse };
    Kind kind = Kind::kStatement;
    Statement statement;
  };
  struct List {
    Block block;
    Item::Kind ended_by = Item::Kind::kEnd;
  };

  Token Next();
  Token Peek();
  Token NextNonSpace();
  Token PeekNonSpace();
  void Backup() { ++peeked_; }
  void Backup(Token before);
  void Backup(Token first, Token second);

  std::unexpected<Error> Fail(std::string_view cause) const;
  std::unexpected<Error> Unexpected(const Token& token, std::string_view context) const;
  Status Expect(Token::Kind kind, std::string_view context);
  Status Enter();
  void Leave() { --depth_; }

  Status Add(std::string_view name, Block block);
  Status ParseDefinition();
  Result<Block> ParseNested(std::string_view context);
  Result<std::string> ParseName(const Token& token, std::string_view context);
  Result<List> ParseList();
  Result<Item> ParseTextOrAction();
  Result<Item> ParseAction();
  Result<Item> ParseElse();
  Result<Statement> ParseControl(Statement::Kind kind, std::string_view context);
  Status ParseOtherwise(Statement& statement, std::string_view context);
  Result<Statement> ParseLoopControl(const Token& token);
  Result<Statement> ParseBlock();
  Result<Statement> ParseTemplate();

  Result<Pipe> ParsePipeline(std::string_view context, Token::Kind end);
  Status ParseDeclarations(Pipe& pipe, std::string_view context);
  Status Declare(Pipe& pipe, const std::string& variable);
  Status CheckPipeline(const Pipe& pipe, std::string_view context) const;
  Result<Command> ParseCommand();
  Result<bool> ParseOperand(Operand& operand);
  Result<bool> ParseTerm(Operand& operand);
  Status ParseFields(Operand& operand);
  Status ParseNumber(const Token& token, Operand& operand) const;
  Status CheckFunction(const std::string& name) const;
  Status CheckVariable(const std::string& name) const;

  const std::string_view name_;
  Lexer& lexer_;
  Templates& templates_;
  const Limits limits_;
  // token_[0] is the newest that the lexer gave; the last `peeked_` are to be read again.
  std::array<Token, 3> tokens_;
  std::size_t peeked_ = 0;
  std::size_t action_line_ = 0;
  std::size_t depth_ = 0;
  int range_depth_ = 0;
  std::vector<std::string> variables_ = {"$"};
};

}  // namespace escagent::gotemplate
