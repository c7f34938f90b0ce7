#include "agent/template/lexer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "agent/template/quote.h"
#include "agent/template/runes.h"

namespace escagent::gotemplate {
namespace {

using TokenKind = Token::Kind;

constexpr std::string_view kLeft = "{{";
constexpr std::string_view kRight = "}}";
constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::size_t kMarkerSize = 2;  // the minus and the space beside it
constexpr char32_t kEof = 0xFFFFFFFF;

constexpr std::array<std::pair<std::string_view, TokenKind>, 11> kKeywords = {{
    {"block", TokenKind::kBlock},
    {"break", TokenKind::kBreak},
    {"continue", TokenKind::kContinue},
    {"define", TokenKind::kDefine},
    {"else", TokenKind::kElse},
    {"end", TokenKind::kEndKeyword},
    {"if", TokenKind::kIf},
    {"nil", TokenKind::kNil},
    {"range", TokenKind::kRange},
    {"template", TokenKind::kTemplate},
    {"with", TokenKind::kWith},
}};

bool IsBlank(char32_t rune) { return rune == ' ' || rune == '\t' || rune == '\r' || rune == '\n'; }

bool IsAlphanumeric(char32_t rune) {
  return rune != kEof && (rune == '_' || IsLetter(rune) || IsDigit(rune));
}

bool HasLeftMarker(std::string_view text) {
  return text.size() >= 2 && text[0] == '-' && IsBlank(static_cast<unsigned char>(text[1]));
}

bool HasRightMarker(std::string_view text) {
  return text.size() >= 2 && IsBlank(static_cast<unsigned char>(text[0])) && text[1] == '-';
}

std::size_t CountLines(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

// U+0023 '#', as %#U prints it.
std::string DescribeRune(char32_t rune) {
  if (rune == kEof) return "U+FFFFFFFFFFFFFFFF";
  std::array<char, 16> number;
  std::snprintf(number.data(), number.size(), "U+%04X", static_cast<unsigned>(rune));
  std::string text = number.data();
  if (!IsPrint(rune)) return text;
  text += " '";
  AppendRune(rune, text);
  return text + "'";
}

}  // namespace

std::string Token::Describe() const {
  if (kind == TokenKind::kEnd) return "EOF";
  if (kind == TokenKind::kError) return text;
  if (IsKeyword()) return "<" + text + ">";
  if (text.size() > 10) {
    const std::u32string runes = ToRunes(text);
    return GoQuote(ToUtf8(std::u32string_view(runes).substr(0, 10))) + "...";
  }
  return GoQuote(text);
}

Token Lexer::Next() { return inside_action_ ? LexInsideAction() : LexText(); }

char32_t Lexer::Peek() const {
  return position_ < source_.size() ? DecodeRune(Rest()).value : kEof;
}

char32_t Lexer::Advance() {
  if (position_ >= source_.size()) return kEof;
  const Rune rune = DecodeRune(Rest());
  position_ += rune.size;
  if (rune.value == '\n') ++line_;
  return rune.value;
}

bool Lexer::Accept(std::string_view set) {
  if (position_ >= source_.size() || !set.contains(source_[position_])) return false;
  ++position_;
  return true;
}

void Lexer::AcceptRun(std::string_view set) {
  while (Accept(set)) {
  }
}

bool Lexer::AtTerminator() const {
  const char32_t next = Peek();
  if (next == kEof || IsBlank(next)) return true;
  if (next < 0x80 && std::string_view(".,|:)(").contains(static_cast<char>(next))) return true;
  return Rest().starts_with(kRight);
}

bool Lexer::AtRightDelimiter(bool& trims) const {
  trims = HasRightMarker(Rest()) && Rest().substr(kMarkerSize).starts_with(kRight);
  return trims || Rest().starts_with(kRight);
}

Token Lexer::Emit(TokenKind kind) {
  Token token{.kind = kind,
              .position = start_,
              .text = std::string(source_.substr(start_, position_ - start_)),
              .line = start_line_};
  start_ = position_;
  start_line_ = line_;
  return token;
}

Token Lexer::Fail(std::string message) {
  Token token{.kind = TokenKind::kError,
              .position = start_,
              .text = std::move(message),
              .line = start_line_};
  source_ = {};
  position_ = 0;
  start_ = 0;
  inside_action_ = false;
  return token;
}

void Lexer::Ignore() {
  line_ += CountLines(source_.substr(start_, position_ - start_));
  start_ = position_;
  start_line_ = line_;
}

Token Lexer::LexText() {
  while (true) {
    const std::size_t found = source_.find(kLeft, position_);
    if (found == std::string_view::npos) {
      position_ = source_.size();
      if (position_ == start_) return Emit(TokenKind::kEnd);
      line_ += CountLines(source_.substr(start_, position_ - start_));
      return Emit(TokenKind::kText);
    }
    std::size_t end = found;
    if (HasLeftMarker(source_.substr(found + kLeft.size()))) {
      while (end > start_ && kSpaces.contains(source_[end - 1])) --end;
    }
    position_ = end;
    line_ += CountLines(source_.substr(start_, end - start_));
    if (end > start_) {
      Token text = Emit(TokenKind::kText);
      position_ = found;
      Ignore();
      return text;
    }
    position_ = found;
    Ignore();
    Token error;
    if (!SkipComment(error)) {
      return error.kind == TokenKind::kError ? std::move(error) : LexLeftDelimiter();
    }
  }
}

// At a left delimiter: whether it began a comment, which is skipped.
bool Lexer::SkipComment(Token& error) {
  std::size_t at = position_ + kLeft.size();
  if (HasLeftMarker(source_.substr(at))) at += kMarkerSize;
  if (!source_.substr(at).starts_with("/*")) return false;
  position_ = at;
  Ignore();
  const std::size_t end = source_.find("*/", at + 2);
  if (end == std::string_view::npos) {
    error = Fail("unclosed comment");
    return false;
  }
  position_ = end + 2;
  bool trims = false;
  if (!AtRightDelimiter(trims)) {
    error = Fail("comment ends before closing delimiter");
    return false;
  }
  position_ += kRight.size() + (trims ? kMarkerSize : 0);
  if (trims) {
    while (position_ < source_.size() && kSpaces.contains(source_[position_])) ++position_;
  }
  Ignore();
  return true;
}

Token Lexer::LexLeftDelimiter() {
  position_ += kLeft.size();
  Token token = Emit(TokenKind::kLeftDelimiter);
  if (HasLeftMarker(Rest())) position_ += kMarkerSize;
  Ignore();
  inside_action_ = true;
  parens_ = 0;
  return token;
}

Token Lexer::LexRightDelimiter() {
  bool trims = false;
  AtRightDelimiter(trims);
  if (trims) {
    position_ += kMarkerSize;
    Ignore();
  }
  position_ += kRight.size();
  Token token = Emit(TokenKind::kRightDelimiter);
  if (trims) {
    while (position_ < source_.size() && kSpaces.contains(source_[position_])) ++position_;
    Ignore();
  }
  inside_action_ = false;
  return token;
}

Token Lexer::LexInsideAction() {
  bool trims = false;
  if (AtRightDelimiter(trims)) {
    return parens_ == 0 ? LexRightDelimiter() : Fail("unclosed left paren");
  }
  const char32_t next = Peek();
  if (next == kEof) return Fail("unclosed action");
  if (IsBlank(next)) return LexSpace();
  if (next == '.') {
    const char after = position_ + 1 < source_.size() ? source_[position_ + 1] : '\0';
    const bool at_end = position_ + 1 >= source_.size();
    if (at_end || IsDigit(static_cast<unsigned char>(after))) return LexNumber();
    Advance();
    return LexFieldOrVariable(TokenKind::kField);
  }
  if (next == '+' || next == '-' || IsDigit(next)) return LexNumber();
  if (IsAlphanumeric(next)) return LexIdentifier();
  return LexCharacter();
}

Token Lexer::LexCharacter() {
  const char32_t rune = Advance();
  switch (rune) {
    case '=':
      return Emit(TokenKind::kAssign);
    case ':':
      if (Advance() != '=') return Fail("expected :=");
      return Emit(TokenKind::kDeclare);
    case '|':
      return Emit(TokenKind::kPipe);
    case '"':
      return LexQuoted('"', TokenKind::kString, "unterminated quoted string");
    case '\'':
      return LexQuoted('\'', TokenKind::kCharConstant, "unterminated character constant");
    case '`':
      return LexRawString();
    case '$':
      return LexFieldOrVariable(TokenKind::kVariable);
    case '(':
      ++parens_;
      return Emit(TokenKind::kLeftParen);
    case ')':
      if (--parens_ < 0) return Fail("unexpected right paren");
      return Emit(TokenKind::kRightParen);
    default:
      break;
  }
  if (rune < 0x80 && IsPrint(rune)) return Emit(TokenKind::kChar);
  return Fail("unrecognized character in action: " + DescribeRune(rune));
}

// The last space before a trim marker belongs to the marker.
Token Lexer::LexSpace() {
  while (IsBlank(Peek())) Advance();
  const std::string_view rest = source_.substr(position_ - 1);
  if (HasRightMarker(rest) && rest.substr(kMarkerSize).starts_with(kRight)) {
    --position_;
    if (source_[position_] == '\n') --line_;
    if (position_ == start_) return LexRightDelimiter();
  }
  return Emit(TokenKind::kSpace);
}

Token Lexer::LexIdentifier() {
  while (IsAlphanumeric(Peek())) Advance();
  if (!AtTerminator()) return Fail("bad character " + DescribeRune(Peek()));
  const std::string_view word = source_.substr(start_, position_ - start_);
  for (const auto& [keyword, kind] : kKeywords) {
    if (word == keyword) return Emit(kind);
  }
  return Emit(word == "true" || word == "false" ? TokenKind::kBool : TokenKind::kIdentifier);
}

// The dot or the dollar sign is behind.
Token Lexer::LexFieldOrVariable(TokenKind kind) {
  if (AtTerminator()) return Emit(kind == TokenKind::kVariable ? kind : TokenKind::kDot);
  while (IsAlphanumeric(Peek())) Advance();
  if (!AtTerminator()) return Fail("bad character " + DescribeRune(Peek()));
  return Emit(kind);
}

Token Lexer::LexNumber() {
  const auto bad = [this] {
    return Fail("bad number syntax: " + GoQuote(source_.substr(start_, position_ - start_)));
  };
  if (!ScanNumber()) return bad();
  if (Peek() == '+' || Peek() == '-') {
    if (!ScanNumber() || source_[position_ - 1] != 'i') return bad();
    return Emit(TokenKind::kComplex);
  }
  return Emit(TokenKind::kNumber);
}

// Takes what may be a number; whether it is one the parser finds out.
bool Lexer::ScanNumber() {
  Accept("+-");
  std::string_view digits = "0123456789_";
  char exponent = 'e';
  if (Accept("0")) {
    if (Accept("xX")) {
      digits = "0123456789abcdefABCDEF_";
      exponent = 'p';
    } else if (Accept("oO")) {
      digits = "01234567_";
      exponent = '\0';
    } else if (Accept("bB")) {
      digits = "01_";
      exponent = '\0';
    }
  }
  AcceptRun(digits);
  if (Accept(".")) AcceptRun(digits);
  if ((exponent == 'e' && Accept("eE")) || (exponent == 'p' && Accept("pP"))) {
    Accept("+-");
    AcceptRun("0123456789_");
  }
  Accept("i");
  if (!IsAlphanumeric(Peek())) return true;
  Advance();
  return false;
}

// The opening quote is behind.
Token Lexer::LexQuoted(char quote, TokenKind kind, std::string_view what) {
  while (true) {
    char32_t rune = Advance();
    if (rune == static_cast<unsigned char>(quote)) return Emit(kind);
    if (rune == '\\') rune = Advance();
    if (rune == kEof || rune == '\n') return Fail(std::string(what));
  }
}

Token Lexer::LexRawString() {
  while (true) {
    const char32_t rune = Advance();
    if (rune == '`') return Emit(TokenKind::kRawString);
    if (rune == kEof) return Fail("unterminated raw quoted string");
  }
}

}  // namespace escagent::gotemplate
