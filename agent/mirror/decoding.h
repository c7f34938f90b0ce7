#pragma once

#include <string_view>

#include "agent/mirror/strategies.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::mirror {

// "None", "Base64", "Base64URL", "Auto".
std::string_view StrategyName(DecodingStrategy strategy);

// Decodes the bytes of a value. Base64 and Base64URL are padded, as Go's StdEncoding and
// URLEncoding are; INVALID_ARGUMENT when the value is not that. kAuto never fails.
Result<Secret> Decode(DecodingStrategy strategy, Secret value);

}  // namespace escagent::mirror
