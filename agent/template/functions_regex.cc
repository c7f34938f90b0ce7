#include <re2/re2.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/template/function.h"
#include "agent/template/runes.h"

// sprig's functions of regular expressions. Go's regexp and RE2 share syntax and meaning; matching
// takes time in proportion to the text, and a pattern's automaton is bounded.
namespace escagent::gotemplate {
namespace {

constexpr std::int64_t kPatternMemory = 1 << 20;
// What is matched costs a step for so many bytes; what is only looked at, a fraction.
constexpr std::size_t kMatchedBytesPerStep = 8;
constexpr std::size_t kSeenBytesPerStep = 1024;
// For a pattern that RE2 refused after it had tried.
constexpr int kStepsOfBadPattern = 1000;

std::string_view Describe(RE2::ErrorCode code) {
  switch (code) {
    case RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
    case RE2::ErrorBadCharRange:
      return "invalid character class";
    case RE2::ErrorMissingBracket:
      return "missing closing ]";
    case RE2::ErrorMissingParen:
      return "missing closing )";
    case RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
      return "expression too large";
    default:
      return "internal error";
  }
}

// A compiled pattern over one text.
class Matcher {
 public:
  Matcher(std::string_view pattern, std::string_view text, Heap& heap)
      : pattern_(re2::StringPiece(pattern.data(), pattern.size()), MakeOptions()),
        text_(text),
        groups_(pattern_.ok() ? static_cast<std::size_t>(pattern_.NumberOfCapturingGroups()) + 1
                              : 1),
        heap_(heap) {
    heap_.Spend(
        static_cast<std::size_t>(pattern_.ok() ? pattern_.ProgramSize() : kStepsOfBadPattern));
  }

  // Go's message, without the pattern, which may be made from values.
  Status Check() const {
    if (pattern_.ok()) return {};
    return InvalidArgument("error parsing regexp: " + std::string(Describe(pattern_.error_code())));
  }

  const RE2& pattern() const { return pattern_; }

  // The groups of the first match at or behind `from`; a group without a part in it has no data.
  std::optional<std::vector<re2::StringPiece>> Match(std::size_t from) {
    if (!heap_.Spend(groups_ + (text_.size() - from) / kSeenBytesPerStep)) return std::nullopt;
    std::vector<re2::StringPiece> found(groups_);
    const re2::StringPiece text(text_.data(), text_.size());
    if (!pattern_.Match(text, from, text_.size(), RE2::UNANCHORED, found.data(),
                        static_cast<int>(found.size()))) {
      return std::nullopt;
    }
    const auto end = static_cast<std::size_t>(found[0].data() + found[0].size() - text_.data());
    heap_.Spend((end - from) / kMatchedBytesPerStep);
    return found;
  }

  struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::vector<re2::StringPiece> groups;
  };

  // All matches from left to right, `limit` at most, as Go finds them: an empty match directly
  // behind another match does not count.
  std::vector<Span> All(std::int64_t limit) {
    std::vector<Span> all;
    std::size_t previous_end = std::string_view::npos;
    for (std::size_t at = 0; at <= text_.size();) {
      if (limit >= 0 && static_cast<std::int64_t>(all.size()) >= limit) break;
      std::optional<std::vector<re2::StringPiece>> groups = Match(at);
      if (!groups) break;
      const auto begin = static_cast<std::size_t>((*groups)[0].data() - text_.data());
      const std::size_t end = begin + (*groups)[0].size();
      const bool counts = end > begin || begin != previous_end;
      previous_end = end;
      at = end > begin ? end : end + std::max<std::size_t>(DecodeRune(text_.substr(end)).size, 1);
      if (counts) all.push_back({.begin = begin, .end = end, .groups = *std::move(groups)});
    }
    return all;
  }

 private:
  static RE2::Options MakeOptions() {
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(kPatternMemory);
    return options;
  }

  const RE2 pattern_;
  const std::string_view text_;
  const std::size_t groups_;
  Heap& heap_;
};

Result<Value> MustMatch(Call& call) {
  Matcher matcher(call.Text(0), call.Text(1), call.heap);
  ESC_RETURN_IF_ERROR(matcher.Check());
  return Value::Bool(matcher.Match(0).has_value());
}

Result<Value> Match(Call& call) { return MustMatch(call).value_or(Value::Bool(false)); }

Result<Value> Find(Call& call) {
  Matcher matcher(call.Text(0), call.Text(1), call.heap);
  ESC_RETURN_IF_ERROR(matcher.Check());
  const std::optional<std::vector<re2::StringPiece>> groups = matcher.Match(0);
  if (!groups) return Value::Text("");
  return Value::Text(std::string_view((*groups)[0].data(), (*groups)[0].size()));
}

Result<Value> FindAll(Call& call) {
  Matcher matcher(call.Text(0), call.Text(1), call.heap);
  ESC_RETURN_IF_ERROR(matcher.Check());
  List& list = call.heap.NewList(Element::kString);
  for (const Matcher::Span& span : matcher.All(call.Integer(2))) {
    call.heap.Push(list, Value::Text(call.Text(1).substr(span.begin, span.end - span.begin)));
  }
  return Value::Of(&list);
}

bool IsWord(char32_t rune) { return rune == '_' || IsLetter(rune) || IsDigit(rune); }

// The name of $name or ${name}, taken off the front; empty when it is malformed.
std::string_view TakeName(std::string_view& text) {
  const bool braces = text.starts_with('{');
  std::size_t end = braces ? 1 : 0;
  while (end < text.size() && IsWord(DecodeRune(text.substr(end)).value)) {
    end += DecodeRune(text.substr(end)).size;
  }
  if (braces && (end >= text.size() || text[end] != '}')) return {};
  const std::string_view name = text.substr(braces ? 1 : 0, end - (braces ? 1 : 0));
  if (!name.empty()) text.remove_prefix(end + (braces ? 1 : 0));
  return name;
}

// What a name stands for: a group by number or by name, or nothing.
std::string_view GroupOf(std::string_view name, const Matcher& matcher,
                         const std::vector<re2::StringPiece>& groups) {
  std::size_t index = groups.size();
  if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) {
    if (name.size() < 6) index = std::stoul(std::string(name));
  } else {
    const auto& names = matcher.pattern().NamedCapturingGroups();
    const auto found = names.find(std::string(name));
    if (found != names.end()) index = static_cast<std::size_t>(found->second);
  }
  if (index >= groups.size() || groups[index].data() == nullptr) return {};
  return {groups[index].data(), groups[index].size()};
}

// Go's Regexp.Expand.
void Expand(std::string_view replacement, const Matcher& matcher,
            const std::vector<re2::StringPiece>& groups, TextBuilder& out) {
  while (!replacement.empty()) {
    const std::size_t dollar = replacement.find('$');
    out.Append(replacement.substr(0, dollar));
    if (dollar == std::string_view::npos) return;
    replacement.remove_prefix(dollar + 1);
    if (replacement.starts_with('$')) {
      out.Append("$");
      replacement.remove_prefix(1);
      continue;
    }
    const std::string_view name = TakeName(replacement);
    if (name.empty()) {
      out.Append("$");
    } else {
      out.Append(GroupOf(name, matcher, groups));
    }
  }
}

Result<Value> Replace(Call& call, bool literal) {
  const std::string_view text = call.Text(1);
  Matcher matcher(call.Text(0), text, call.heap);
  ESC_RETURN_IF_ERROR(matcher.Check());
  TextBuilder out(call.heap);
  std::size_t done = 0;
  for (const Matcher::Span& span : matcher.All(-1)) {
    out.Append(text.substr(done, span.begin - done));
    if (literal) {
      out.Append(call.Text(2));
    } else {
      Expand(call.Text(2), matcher, span.groups, out);
    }
    done = span.end;
  }
  out.Append(text.substr(done));
  return out.Finish();
}

Result<Value> ReplaceAll(Call& call) { return Replace(call, false); }
Result<Value> ReplaceAllLiteral(Call& call) { return Replace(call, true); }

// Go's Regexp.Split.
Result<Value> Split(Call& call) {
  const std::string_view text = call.Text(1);
  const std::int64_t limit = call.Integer(2);
  Matcher matcher(call.Text(0), text, call.heap);
  ESC_RETURN_IF_ERROR(matcher.Check());
  List& list = call.heap.NewList(Element::kString);
  if (limit == 0) return Value::Of(&list);
  if (!call.Text(0).empty() && text.empty()) {
    call.heap.Push(list, Value::Text(""));
    return Value::Of(&list);
  }
  std::size_t begin = 0;
  std::size_t end = 0;
  for (const Matcher::Span& span : matcher.All(limit)) {
    if (limit > 0 && static_cast<std::int64_t>(list.items.size()) == limit - 1) break;
    end = span.begin;
    if (span.end != 0) call.heap.Push(list, Value::Text(text.substr(begin, end - begin)));
    begin = span.end;
  }
  if (end != text.size()) call.heap.Push(list, Value::Text(text.substr(begin)));
  return Value::Of(&list);
}

Result<Value> QuoteMeta(Call& call) {
  TextBuilder out(call.heap);
  for (const char c : call.Text(0)) {
    if (std::string_view("\\.+*?()|[]{}^$").contains(c)) out.Append("\\");
    out.Append(1, c);
  }
  return out.Finish();
}

constexpr Function kRegexFunctions[] = {
    {"mustRegexFind", "ss", Find},
    {"mustRegexFindAll", "ssi", FindAll},
    {"mustRegexMatch", "ss", MustMatch},
    {"mustRegexReplaceAll", "sss", ReplaceAll},
    {"mustRegexReplaceAllLiteral", "sss", ReplaceAllLiteral},
    {"mustRegexSplit", "ssi", Split},
    {"regexFind", "ss", Find},
    {"regexFindAll", "ssi", FindAll},
    {"regexMatch", "ss", Match},
    {"regexQuoteMeta", "s", QuoteMeta},
    {"regexReplaceAll", "sss", ReplaceAll},
    {"regexReplaceAllLiteral", "sss", ReplaceAllLiteral},
    {"regexSplit", "ssi", Split},
};

}  // namespace

std::span<const Function> RegexFunctions() { return kRegexFunctions; }

}  // namespace escagent::gotemplate
