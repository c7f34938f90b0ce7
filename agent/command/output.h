#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/command/flags.h"
#include "base/result.h"

namespace escagent::command {

// Exit codes (design.md section 5).
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;

// Prints to stdout and flushes, so that a reader of a pipe sees each line when it is written.
void Print(std::string_view text);

// Prints "esc-agent: <message>" to stderr and returns kFailed.
int Fail(const Error& error);

// Prints what is wrong with the flags, a line each. Returns kWrongUsage if anything is, else kDone.
int ReportUsage(const FlagSet& flags);

// Columns padded to the widest cell; the first row is the header.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace escagent::command
