#include "esc/eval/json_fault.h"

#include <cstddef>
#include <vector>

#include "base/ascii.h"
#include "base/secret.h"
#include "esc/eval/go_quote.h"

namespace escagent::eval {
namespace {

// Walks over the first value of a text until it is complete or something is wrong.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  // False at the fault: at() is its place, which is the end where the text is too short, and
  // where() what was expected there.
  bool Scan() {
    do {
      if (!Value()) return false;
      while (!open_.empty() && !expects_value_) {
        if (!Next()) return false;
      }
      expects_value_ = false;
    } while (!open_.empty());
    return true;
  }

  std::size_t at() const { return at_; }
  const std::string& where() const { return where_; }
  // Whether there was nothing at all.
  bool blank() const { return text_.find_first_not_of(" \t\r\n") == std::string_view::npos; }

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  bool Sees(char c) const { return !AtEnd() && text_[at_] == c; }
  bool SeesDigit() const { return !AtEnd() && IsDigit(text_[at_]); }
  void SkipSpace() {
    while (!AtEnd() && std::string_view(" \t\r\n").contains(text_[at_])) ++at_;
  }
  bool Take(char c) {
    if (!Sees(c)) return false;
    ++at_;
    return true;
  }
  bool Fail(std::string where) {
    where_ = std::move(where);
    return false;
  }

  // A scalar, or the beginning of a container up to its first value.
  bool Value() {
    SkipSpace();
    if (Take('{')) return BeginObject();
    if (Take('[')) {
      SkipSpace();
      open_.push_back(']');
      expects_value_ = !Sees(']');
      return true;
    }
    if (Take('"')) return Text();
    if (Sees('-') || SeesDigit()) return Number();
    for (const std::string_view literal : {"true", "false", "null"}) {
      if (Sees(literal.front())) return Literal(literal);
    }
    return Fail("looking for beginning of value");
  }

  bool BeginObject() {
    SkipSpace();
    open_.push_back('}');
    expects_value_ = !Sees('}');
    return !expects_value_ || Name();
  }

  // A member's name and its colon.
  bool Name() {
    SkipSpace();
    if (!Take('"')) return Fail("looking for beginning of object key string");
    if (!Text()) return false;
    SkipSpace();
    return Take(':') || Fail("after object key");
  }

  // What follows a value in its container.
  bool Next() {
    SkipSpace();
    const char close = open_.back();
    if (Take(close)) {
      open_.pop_back();
      return true;
    }
    const bool object = close == '}';
    if (!Take(',')) return Fail(object ? "after object key:value pair" : "after array element");
    expects_value_ = true;
    return !object || Name();
  }

  // Behind the quote.
  bool Text() {
    while (!AtEnd()) {
      if (Take('"')) return true;
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return Fail("in string literal");
      if (!Take('\\')) {
        ++at_;
      } else if (!Escape()) {
        return false;
      }
    }
    return false;
  }

  bool Escape() {
    if (AtEnd()) return false;
    if (!std::string_view("bfnrt\\/\"u").contains(text_[at_])) {
      return Fail("in string escape code");
    }
    if (text_[at_++] != 'u') return true;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (AtEnd() || !IsHexDigit(text_[at_])) return Fail("in \\u hexadecimal character escape");
    }
    return true;
  }

  bool Digits(const char* where) {
    if (!SeesDigit()) return Fail(where);
    while (SeesDigit()) ++at_;
    return true;
  }

  bool Number() {
    Take('-');
    if (!Take('0') && !Digits("in numeric literal")) return false;
    if (Take('.') && !Digits("after decimal point in numeric literal")) return false;
    if (!Take('e') && !Take('E')) return true;
    if (!Take('+')) Take('-');
    return Digits("in exponent of numeric literal");
  }

  bool Literal(std::string_view literal) {
    for (const char c : literal) {
      if (Take(c)) continue;
      return Fail("in literal " + std::string(literal) + " (expecting '" + c + "')");
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<char> open_;      // how the containers around are closed
  bool expects_value_ = false;  // in the innermost of them
  std::string where_;
};

// As Go quotes one byte, which it takes for a character of Latin-1.
std::string Quote(char c) {
  if (c == '\'') return "'\\''";
  if (c == '"') return "'\"'";
  const auto byte = static_cast<unsigned char>(c);
  std::string text(1, c);
  if (byte >= 0x80)
    text = {static_cast<char>(0xC0U | byte >> 6U), static_cast<char>(0x80U | (byte & 0x3FU))};
  SecretBuilder quoted;
  AppendGoQuoted(text, quoted);
  const std::string_view inner = quoted.Reveal();
  return "'" + std::string(inner.substr(1, inner.size() - 2)) + "'";
}

}  // namespace

std::optional<std::string> DescribeJsonFault(std::string_view text, bool secret) {
  JsonScanner scanner(text);
  if (scanner.Scan()) return std::nullopt;
  if (scanner.at() >= text.size()) return scanner.blank() ? "EOF" : "unexpected EOF";
  const std::string character = secret ? "(secret)" : Quote(text[scanner.at()]);
  return "invalid character " + character + " " + scanner.where();
}

}  // namespace escagent::eval
