#include "agent/template/yaml_scalar.h"

#include <re2/re2.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <span>

#include "agent/template/number.h"
#include "agent/template/runes.h"
#include "base/yaml_events.h"

namespace escagent::gotemplate {
namespace {

constexpr std::size_t kWidth = 80;

constexpr std::string_view kTrue[] = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                      "on",   "On",   "ON",   "y",   "Y"};
constexpr std::string_view kFalse[] = {"false", "False", "FALSE", "no", "No", "NO",
                                       "off",   "Off",   "OFF",   "n",  "N"};

bool IsOneOf(std::string_view text, std::span<const std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

bool Matches(std::string_view text, const RE2& pattern) {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

std::optional<double> ParseYamlNumber(std::string_view text) {
  static const RE2 kFloat(R"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)");
  static const RE2 kInfinity(R"([-+]?\.(inf|Inf|INF))");
  static const RE2 kNan(R"(\.(nan|NaN|NAN))");
  if (Matches(text, kInfinity)) {
    const double infinity = std::numeric_limits<double>::infinity();
    return text.starts_with('-') ? -infinity : infinity;
  }
  if (Matches(text, kNan)) return std::numeric_limits<double>::quiet_NaN();
  std::string digits(text);
  std::erase(digits, '_');
  if (digits.empty() || !std::string_view("+-.0123456789").contains(digits[0])) return std::nullopt;
  if (const std::optional<std::int64_t> integer = ParseInteger(digits, 0)) {
    return static_cast<double>(*integer);
  }
  return Matches(digits, kFloat) ? ParseFloat(digits) : std::nullopt;
}

// Texts that other readers of YAML 1.1 take for a time or a number to the base of 60.
bool LooksLikeTime(std::string_view text) {
  static const RE2 kTime(
      R"(\d{4}-\d{1,2}-\d{1,2}([Tt ]+\d{1,2}:\d{1,2}:\d{1,2}(\.\d*)?\s*(Z|[-+]\d{2}:\d{2})?)?)");
  static const RE2 kBase60(R"([-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)");
  return Matches(text, kTime) || Matches(text, kBase60);
}

// Characters that only double quotes can hold. go-yaml counts all beyond U+FFFF among them.
bool IsSpecial(char32_t rune) {
  return (rune < ' ' && rune != '\n') || rune == 0x7F || (rune > 0x7F && rune < 0xA0) ||
         rune == 0x2028 || rune == 0x2029 || (rune >= 0xD800 && rune < 0xE000) || rune >= 0xFEFF;
}

bool HasIndicators(std::string_view text) {
  if (std::string_view("#,[]{}&*!|>'\"%@`").contains(text[0])) return true;
  const bool space_next = text.size() == 1 || text[1] == ' ' || text[1] == '\n';
  if (std::string_view("-?:").contains(text[0]) && space_next) return true;
  if (text.starts_with("---") || text.starts_with("...")) return true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ':' && (i + 1 == text.size() || text[i + 1] == ' ' || text[i + 1] == '\n')) {
      return true;
    }
    if (text[i] == '#' && i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\n')) return true;
  }
  return false;
}

bool HasSpecial(std::string_view text) {
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (rune.IsBad() || IsSpecial(rune.value)) return true;
    text.remove_prefix(rune.size);
  }
  return false;
}

void AppendEscaped(char32_t rune, std::string& out) {
  static constexpr std::string_view kNamed = "\a\b\t\n\v\f\r\x1B\"\\";
  static constexpr std::string_view kLetters = "abtnvfre\"\\";
  if (rune < 0x80 && kNamed.contains(static_cast<char>(rune))) {
    out += '\\';
    out += kLetters[kNamed.find(static_cast<char>(rune))];
    return;
  }
  if (!IsSpecial(rune)) {
    AppendRune(rune, out);
    return;
  }
  const std::size_t digits = rune < 0x100 ? 2 : rune < 0x10000 ? 4 : 8;
  const std::string number = FormatUnsigned(rune, 16, true);
  out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
  out.append(digits - number.size(), '0');
  out += number;
}

// Plain or in quotes, with folding.
class FlowScalar {
 public:
  FlowScalar(std::string_view text, YamlStyle style, std::size_t column, std::size_t indent)
      : runes_(ToRunes(text)), style_(style), column_(column), indent_(indent) {}

  std::string Run(bool folds) {
    Quote();
    for (std::size_t i = 0; i < runes_.size(); ++i) {
      if (folds && CanFoldAt(i)) {
        out_ += '\n';
        out_.append(indent_, ' ');
        line_start_ = out_.size();
        column_ = indent_;
        if (style_ == YamlStyle::kDoubleQuoted && runes_[i + 1] == ' ') out_ += '\\';
      } else {
        Append(runes_[i]);
      }
    }
    Quote();
    return std::move(out_);
  }

 private:
  void Quote() {
    if (style_ == YamlStyle::kSingleQuoted) out_ += '\'';
    if (style_ == YamlStyle::kDoubleQuoted) out_ += '"';
  }

  std::size_t Column() const {
    return column_ + CountRunes(std::string_view(out_).substr(line_start_));
  }

  bool CanFoldAt(std::size_t i) const {
    if (runes_[i] != ' ' || i == 0 || i + 1 == runes_.size() || runes_[i - 1] == ' ') return false;
    if (style_ != YamlStyle::kDoubleQuoted && runes_[i + 1] == ' ') return false;
    return Column() > kWidth;
  }

  void Append(char32_t rune) {
    if (style_ == YamlStyle::kDoubleQuoted) {
      AppendEscaped(rune, out_);
      return;
    }
    if (style_ == YamlStyle::kSingleQuoted && rune == '\'') out_ += '\'';
    AppendRune(rune, out_);
  }

  const std::u32string runes_;
  const YamlStyle style_;
  std::size_t column_;
  const std::size_t indent_;
  std::size_t line_start_ = 0;
  std::string out_;
};

// |, with what says how the first line is indented and how the last line ends.
std::string FormatLiteral(std::string_view text, std::size_t indent) {
  std::string out = "|";
  if (text[0] == ' ' || text[0] == '\n') out += '2';
  if (!text.ends_with('\n')) {
    out += '-';
  } else if (text.size() == 1 || text.ends_with("\n\n")) {
    out += '+';
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += '\n';
    if (end > 0) out.append(indent, ' ');
    out += text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

Value ResolveYamlScalar(std::string_view text) {
  if (IsYamlNull(text)) return {};
  if (IsOneOf(text, kTrue)) return Value::Bool(true);
  if (IsOneOf(text, kFalse)) return Value::Bool(false);
  if (const std::optional<double> number = ParseYamlNumber(text)) return Value::Float64(*number);
  return Value::Text(text);
}

YamlStyle StyleOfYamlText(std::string_view text) {
  if (HasSpecial(text)) return YamlStyle::kDoubleQuoted;
  if (text.contains('\n')) {
    const bool trailing_space = text.ends_with(' ') || text.find(" \n") != std::string_view::npos;
    return trailing_space ? YamlStyle::kDoubleQuoted : YamlStyle::kLiteral;
  }
  if (!ResolveYamlScalar(text).IsText() || LooksLikeTime(text)) return YamlStyle::kDoubleQuoted;
  if (text.starts_with(' ') || text.ends_with(' ') || HasIndicators(text)) {
    return YamlStyle::kSingleQuoted;
  }
  return YamlStyle::kPlain;
}

std::string FormatYamlText(std::string_view text, YamlStyle style, std::size_t column,
                           std::size_t indent, bool folds) {
  if (style == YamlStyle::kLiteral) return FormatLiteral(text, indent);
  return FlowScalar(text, style, column, indent).Run(folds);
}

}  // namespace escagent::gotemplate
