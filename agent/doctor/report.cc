#include "agent/doctor/report.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace escagent::doctor {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"ok", "warn", "fail", "skip"};
// What cannot be overlooked is written large.
constexpr std::array<std::string_view, 4> kMarks = {"ok    ", "warn  ", "FAIL  ", "skip  "};
constexpr std::string_view kIndent = "        ";

using Counts = std::array<int, 4>;

Counts Count(const std::vector<Group>& groups) {
  Counts counts = {};
  for (const Group& group : groups) {
    for (const Finding& finding : group.findings) {
      ++counts[static_cast<std::size_t>(finding.verdict)];
    }
  }
  return counts;
}

// Further lines of a text (a list of problems) begin below the first one.
std::string Indented(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += kIndent;
  }
  return out;
}

}  // namespace

std::string ToText(const std::vector<Group>& groups) {
  std::string out;
  for (const Group& group : groups) {
    if (group.findings.empty()) continue;
    out += group.name + "\n";
    for (const Finding& finding : group.findings) {
      out += "  " + std::string(kMarks[static_cast<std::size_t>(finding.verdict)]) + finding.check +
             ": " + Indented(finding.text) + "\n";
      if (!finding.advice.empty()) {
        out += std::string(kIndent) + "-> " + Indented(finding.advice) + "\n";
      }
    }
    out += "\n";
  }
  const Counts counts = Count(groups);
  return out + std::to_string(counts[2]) + " failed, " + std::to_string(counts[1]) +
         " to be looked at, " + std::to_string(counts[0]) + " ok, " + std::to_string(counts[3]) +
         " skipped\n";
}

nlohmann::json ToJson(const std::vector<Group>& groups) {
  nlohmann::json findings = nlohmann::json::array();
  for (const Group& group : groups) {
    for (const Finding& finding : group.findings) {
      findings.push_back({{"group", group.name},
                          {"check", finding.check},
                          {"result", kNames[static_cast<std::size_t>(finding.verdict)]},
                          {"finding", finding.text},
                          {"advice", finding.advice}});
    }
  }
  nlohmann::json summary;
  const Counts counts = Count(groups);
  for (std::size_t i = 0; i < counts.size(); ++i) summary[std::string(kNames[i])] = counts[i];
  return {{"findings", std::move(findings)}, {"summary", std::move(summary)}};
}

bool HasFailure(const std::vector<Group>& groups) {
  return std::ranges::any_of(groups, [](const Group& group) {
    return std::ranges::any_of(
        group.findings, [](const Finding& finding) { return finding.verdict == Verdict::kFailed; });
  });
}

}  // namespace escagent::doctor
