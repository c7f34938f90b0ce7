#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace escagent::gotemplate {

// One lexical unit of a template. The names are those of text/template/parse.
struct Token {
  enum class Kind {
    kError,  // text: what is wrong; nothing follows
    kBool,
    kChar,  // a character without a meaning of its own, for example a comma
    kCharConstant,
    kComplex,
    kAssign,
    kDeclare,
    kEnd,    // of the template
    kField,  // with its dot
    kIdentifier,
    kLeftDelimiter,
    kLeftParen,
    kNumber,
    kPipe,
    kRawString,  // with its quotes
    kRightDelimiter,
    kRightParen,
    kSpace,
    kString,  // with its quotes
    kText,
    kVariable,  // with its dollar sign
    // Keywords from here on.
    kBlock,
    kBreak,
    kContinue,
    kDot,
    kDefine,
    kElse,
    kEndKeyword,
    kIf,
    kNil,
    kRange,
    kTemplate,
    kWith,
  };

  Kind kind = Kind::kEnd;
  std::size_t position = 0;  // bytes from the start of the template
  std::string text;
  std::size_t line = 0;  // from 1

  bool IsKeyword() const { return kind >= Kind::kBlock; }
  // As it appears in "unexpected ...".
  std::string Describe() const;
};

// Splits a template into tokens: texts, with what trim markers take away already gone, and the
// units of actions. Comments are dropped. Reads the source in place, which must outlive it.
class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  // After an error or the end: the end again.
  Token Next();

 private:
  std::string_view Rest() const { return source_.substr(position_); }
  char32_t Peek() const;
  char32_t Advance();
  bool Accept(std::string_view set);
  void AcceptRun(std::string_view set);
  bool AtTerminator() const;
  bool AtRightDelimiter(bool& trims) const;
  bool SkipComment(Token& error);

  Token Emit(Token::Kind kind);
  Token Fail(std::string message);
  void Ignore();

  Token LexText();
  Token LexLeftDelimiter();
  Token LexRightDelimiter();
  Token LexInsideAction();
  Token LexCharacter();
  Token LexSpace();
  Token LexIdentifier();
  Token LexFieldOrVariable(Token::Kind kind);
  Token LexNumber();
  bool ScanNumber();
  Token LexQuoted(char quote, Token::Kind kind, std::string_view what);
  Token LexRawString();

  std::string_view source_;
  std::size_t position_ = 0;
  std::size_t start_ = 0;  // of the current token
  std::size_t line_ = 1;
  std::size_t start_line_ = 1;
  int parens_ = 0;
  bool inside_action_ = false;
};

}  // namespace escagent::gotemplate
