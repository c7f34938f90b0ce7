#include "esc/diagnostic.h"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>

#include "esc/text_limit.h"

namespace escagent::esc {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxMember = 500;
constexpr std::size_t kMaxJoined = 5;

// The member when it has the type that `get` wants, else nothing.
std::string TextMember(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string()
             ? LimitText(it->get_ref<const std::string&>(), kMaxMember)
             : std::string();
}

int IntMember(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_number_integer() ? it->get<int>() : 0;
}

json PositionToJson(int line, int column, int byte) {
  return {{"line", line}, {"column", column}, {"byte", byte}};
}

void ReadPosition(const json& range, const char* name, int& line, int& column, int& byte) {
  const auto position = range.find(name);
  if (position == range.end() || !position->is_object()) return;
  line = IntMember(*position, "line");
  column = IntMember(*position, "column");
  byte = IntMember(*position, "byte");
}

}  // namespace

std::string Diagnostic::ToString() const {
  std::vector<std::string> where;
  if (!path.empty()) where.push_back("at " + path);
  if (!environment.empty()) where.push_back("environment " + environment);
  if (line > 0) {
    where.push_back("line " + std::to_string(line) + ", column " + std::to_string(column));
  }
  std::string text = summary;
  for (std::size_t i = 0; i < where.size(); ++i) text += (i == 0 ? " (" : ", ") + where[i];
  if (!where.empty()) text += ')';
  return text;
}

std::vector<Diagnostic> DiagnosticsFromJson(const json& array) {
  std::vector<Diagnostic> diagnostics;
  if (!array.is_array()) return diagnostics;
  for (const json& entry : array) {
    if (diagnostics.size() >= kMaxDiagnostics) break;
    if (!entry.is_object()) continue;
    Diagnostic diagnostic;
    diagnostic.summary = TextMember(entry, "summary");
    if (diagnostic.summary.empty()) continue;
    diagnostic.path = TextMember(entry, "path");
    if (TextMember(entry, "severity") == "warning") {
      diagnostic.severity = Diagnostic::Severity::kWarning;
    }
    if (const auto range = entry.find("range"); range != entry.end() && range->is_object()) {
      diagnostic.environment = TextMember(*range, "environment");
      ReadPosition(*range, "begin", diagnostic.line, diagnostic.column, diagnostic.byte);
      ReadPosition(*range, "end", diagnostic.end_line, diagnostic.end_column, diagnostic.end_byte);
    }
    diagnostics.push_back(std::move(diagnostic));
  }
  return diagnostics;
}

json DiagnosticsToJson(std::span<const Diagnostic> diagnostics) {
  json array = json::array();
  for (const Diagnostic& diagnostic : diagnostics) {
    const bool is_error = diagnostic.severity == Diagnostic::Severity::kError;
    json entry = {{"summary", diagnostic.summary}, {"severity", is_error ? "error" : "warning"}};
    if (!diagnostic.path.empty()) entry["path"] = diagnostic.path;
    if (diagnostic.line > 0) {
      const json begin = PositionToJson(diagnostic.line, diagnostic.column, diagnostic.byte);
      // A range without an end ends where it begins.
      const json end =
          diagnostic.end_line == 0
              ? begin
              : PositionToJson(diagnostic.end_line, diagnostic.end_column, diagnostic.end_byte);
      entry["range"] = {{"environment", diagnostic.environment}, {"begin", begin}, {"end", end}};
    }
    array.push_back(std::move(entry));
  }
  return array;
}

std::string JoinDiagnostics(std::span<const Diagnostic> diagnostics) {
  std::string text;
  for (std::size_t i = 0; i < std::min(diagnostics.size(), kMaxJoined); ++i) {
    if (i > 0) text += "; ";
    text += diagnostics[i].ToString();
  }
  if (diagnostics.size() > kMaxJoined) {
    text += "; and " + std::to_string(diagnostics.size() - kMaxJoined) + " more";
  }
  return text;
}

}  // namespace escagent::esc
