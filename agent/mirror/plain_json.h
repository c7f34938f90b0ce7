#pragma once

#include <string_view>

#include "base/result.h"
#include "esc/value.h"

namespace escagent::mirror {

// Reads ordinary JSON (a value that holds JSON, not a node of ESC's API) into a Value: strings go
// straight into Secrets and numbers keep their text. Of equal keys the last one counts.
// INVALID_ARGUMENT names `what` and holds none of the text.
Result<esc::Value> ParsePlainJson(std::string_view text, std::string_view what);

}  // namespace escagent::mirror
