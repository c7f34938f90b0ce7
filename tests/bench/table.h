#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace escagent::testing {

// A line of a benchmark's table: our figure beside its limit or a peer's.
struct Row {
  std::string figure;
  std::string ours;
  std::string limit;
  std::string ratio;
};

// Two digits behind the point.
std::string Decimal(double value);
// A figure beside its limit; both in `unit` (" ms").
Row Compare(const std::string& figure, double ours, double limit, const std::string& unit);
// As Markdown.
void PrintTable(const char* title, const std::vector<Row>& rows);

// The number behind "<key>:" in /proc/<pid>/status; kilobytes for sizes.
long ProcessStatus(pid_t pid, const std::string& key);
// CPU time that a process has used, in seconds.
double CpuSeconds(pid_t pid);

}  // namespace escagent::testing
