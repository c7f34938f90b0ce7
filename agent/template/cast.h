#pragma once

#include <cstdint>

#include "agent/template/value.h"

// sprig's lenient conversions: what cannot be converted is 0.
namespace escagent::gotemplate {

std::int64_t CastToInteger(const Value& value);
double CastToFloat(const Value& value);

}  // namespace escagent::gotemplate
