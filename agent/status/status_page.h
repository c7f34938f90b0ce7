#pragma once

#include <string>

#include "agent/status/freshness_log.h"
#include "agent/status/report.h"

namespace escagent::status {

// The report as a page for a browser, readable on a phone: what needs attention, how fresh the
// values were over the last hour, environments, volumes, the mirror. One document without scripts
// or anything to load; it comes anew every ten seconds. Never a value.
std::string StatusPage(const Report& report, const FreshnessHours& hours);

}  // namespace escagent::status
