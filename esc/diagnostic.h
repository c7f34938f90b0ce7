#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

namespace escagent::esc {

// One finding of ESC's evaluator about a definition. Never holds a value.
struct Diagnostic {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  std::string summary = {};
  std::string path = {};         // property path, may be empty
  std::string environment = {};  // where the range lies, may be empty
  int line = 0;                  // 1-based; 0 = no range
  int column = 0;
  int byte = 0;
  int end_line = 0;  // just after the last character
  int end_column = 0;
  int end_byte = 0;

  // "summary (environment dev, line 3, column 5)"
  std::string ToString() const;
};

// Diagnostics as ESC writes them (reference/esc-api.md "Errors"):
// [{"range":{"environment","begin":{"line","column","byte"},"end"},"summary","severity","path"}].
// Reading is lenient: what has another shape is left out, texts are cut (LimitText), at most
// kMaxDiagnostics are kept.
inline constexpr std::size_t kMaxDiagnostics = 100;
std::vector<Diagnostic> DiagnosticsFromJson(const nlohmann::json& array);
nlohmann::json DiagnosticsToJson(std::span<const Diagnostic> diagnostics);

// "; " between the first few, and how many were left out. Empty for none.
std::string JoinDiagnostics(std::span<const Diagnostic> diagnostics);

}  // namespace escagent::esc
