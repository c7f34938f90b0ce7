#include "esc/eval/source.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace escagent::eval {

void Append(Diagnostics& out, esc::Diagnostic diagnostic) {
  if (out.size() < kMaxDiagnostics) {
    out.push_back(std::move(diagnostic));
  } else if (diagnostic.severity == esc::Diagnostic::Severity::kError) {
    out.back() = std::move(diagnostic);
  }
}

void AddDiagnostic(Diagnostics& out, esc::Diagnostic::Severity severity, const SourceRange& range,
                   std::string_view path, std::string summary) {
  esc::Diagnostic diagnostic;
  diagnostic.severity = severity;
  diagnostic.summary = std::move(summary);
  diagnostic.path = std::string(path);
  diagnostic.environment = std::string(range.EnvironmentName());
  diagnostic.line = range.begin.line;
  diagnostic.column = range.begin.column;
  diagnostic.byte = static_cast<int>(range.begin.byte);
  diagnostic.end_line = range.end.line;
  diagnostic.end_column = range.end.column;
  diagnostic.end_byte = static_cast<int>(range.end.byte);
  Append(out, std::move(diagnostic));
}

void AddError(Diagnostics& out, const SourceRange& range, std::string_view path,
              std::string summary) {
  AddDiagnostic(out, esc::Diagnostic::Severity::kError, range, path, std::move(summary));
}

bool HasErrors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const esc::Diagnostic& d) {
    return d.severity == esc::Diagnostic::Severity::kError;
  });
}

std::string JoinKey(std::string_view path, std::string_view key) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool plain =
      !key.empty() && !is_digit(key.front()) &&
      std::all_of(key.begin(), key.end(), [&](char c) { return is_letter(c) || is_digit(c); });
  std::string joined(path);
  if (plain) {
    if (!joined.empty()) joined += '.';
    return joined.append(key);
  }
  joined += "[\"";
  for (const char c : key) {
    if (c == '"') joined += '\\';
    joined += c;
  }
  return joined + "\"]";
}

std::string DidYouMean(std::string_view name, const std::vector<std::string_view>& candidates) {
  const auto nearest = Nearest(name, candidates);
  if (!nearest) return "";
  return "; did you mean \"" + std::string(*nearest) + "\"?";
}

}  // namespace escagent::eval
