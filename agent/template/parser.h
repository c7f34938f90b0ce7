#pragma once

#include <string_view>

#include "agent/template/limits.h"
#include "agent/template/node.h"
#include "base/result.h"

namespace escagent::gotemplate {

// Parses a template and those it defines. Errors read as Go's: "template: NAME:LINE: CAUSE".
Result<Templates> Parse(std::string_view name, std::string_view text, const Limits& limits);

}  // namespace escagent::gotemplate
