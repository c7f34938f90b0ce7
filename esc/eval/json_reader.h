#pragma once

#include <string_view>

#include "base/result.h"
#include "esc/eval/node.h"

namespace escagent::eval {

// The first JSON value of a text, as fn::fromJSON reads it (what follows is ignored, as Go's
// json.Decoder does). Numbers keep their text; of equal keys the last one counts. `secret` marks
// every value. Errors have the position but none of the text.
Result<NodePtr> ReadJsonValue(std::string_view text, bool secret, const Cell* definition,
                              Budget& budget);

}  // namespace escagent::eval
