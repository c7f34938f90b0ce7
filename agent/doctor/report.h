#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/doctor/finding.h"

namespace escagent::doctor {

// A line for each finding, what to do about it indented below, and a line with the sums at the end.
std::string ToText(const std::vector<Group>& groups);

// {"findings": [{"group", "check", "result": "ok" | "warn" | "fail" | "skip", "finding",
// "advice"}], "summary": {"ok", "warn", "fail", "skip"}}
nlohmann::json ToJson(const std::vector<Group>& groups);

bool HasFailure(const std::vector<Group>& groups);

}  // namespace escagent::doctor
