#include "agent/command/output.h"

#include <algorithm>
#include <cstdio>

namespace escagent::command {

void Print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int Fail(const Error& error) {
  std::fprintf(stderr, "esc-agent: %s\n", error.message.c_str());
  return kFailed;
}

int ReportUsage(const FlagSet& flags) {
  for (const std::string& error : flags.errors()) {
    std::fprintf(stderr, "esc-agent: %s\n", error.c_str());
  }
  return flags.errors().empty() ? kDone : kWrongUsage;
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace escagent::command
