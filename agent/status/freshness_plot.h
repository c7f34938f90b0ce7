#pragma once

#include <string>

#include "agent/status/freshness_log.h"

namespace escagent::status {

// The last hour as HTML of 60 bars, one a minute: how old the oldest values of any environment were
// (logarithmic), coloured by the worst state.
std::string FreshnessPlot(const FreshnessHours& hours);

// The same hour of one environment, as a strip of colours.
std::string FreshnessStrip(const FreshnessHour& hour);

}  // namespace escagent::status
