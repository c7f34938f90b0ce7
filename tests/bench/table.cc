#include "tests/bench/table.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace escagent::testing {

std::string Decimal(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

Row Compare(const std::string& figure, double ours, double limit, const std::string& unit) {
  const auto with_unit = [&](double value) {
    return (value == std::floor(value) ? std::to_string(std::llround(value)) : Decimal(value)) +
           unit;
  };
  return {figure, with_unit(ours), with_unit(limit), limit > 0 ? Decimal(ours / limit) : "-"};
}

void PrintTable(const char* title, const std::vector<Row>& rows) {
  std::printf("\n### %s\n\n| figure | ours | limit | ratio |\n|---|---|---|---|\n", title);
  for (const Row& row : rows) {
    std::printf("| %s | %s | %s | %s |\n", row.figure.c_str(), row.ours.c_str(), row.limit.c_str(),
                row.ratio.c_str());
  }
}

long ProcessStatus(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key + ":")) return std::strtol(line.c_str() + key.size() + 1, nullptr, 10);
  }
  return 0;
}

double CpuSeconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  // Behind the name in parentheses; utime and stime are fields 14 and 15 (proc(5)).
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace escagent::testing
