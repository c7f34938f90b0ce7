#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esc/diagnostic.h"

namespace escagent::eval {

// A place in the text of a definition.
struct Position {
  int line = 0;    // 1-based; 0 = unknown
  int column = 0;  // 1-based, in code points where a value begins; see LineIndex for where it ends
  std::size_t byte = 0;
};

// From the first character to just after the last one, in the definition of one environment.
// Without an environment: no place, for what is not in a text.
struct SourceRange {
  std::shared_ptr<const std::string> environment;
  Position begin;
  Position end;

  std::string_view EnvironmentName() const {
    return environment ? std::string_view(*environment) : std::string_view();
  }
};

using Diagnostics = std::vector<esc::Diagnostic>;

// A definition can be wrong in more places than anybody reads.
inline constexpr std::size_t kMaxDiagnostics = 1000;

// Appends a finding. Of those beyond kMaxDiagnostics only the last error is kept.
void Append(Diagnostics& out, esc::Diagnostic diagnostic);

// Appends a finding. `path` is the place in the document ("values.app[0]").
void AddDiagnostic(Diagnostics& out, esc::Diagnostic::Severity severity, const SourceRange& range,
                   std::string_view path, std::string summary);
void AddError(Diagnostics& out, const SourceRange& range, std::string_view path,
              std::string summary);

// Whether any of them is an error.
bool HasErrors(const Diagnostics& diagnostics);

// `path` with a key put behind it, quoted where ESC's path syntax needs it: a.b, a["b-c"].
std::string JoinKey(std::string_view path, std::string_view key);

// "; did you mean "name"?" or nothing, for error texts.
std::string DidYouMean(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace escagent::eval
