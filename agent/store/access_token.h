#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace escagent::store {

struct AccessToken {
  std::shared_ptr<const Secret> token;
  // HMAC-SHA256 of the token under a key of this process, in hex: equal for equal tokens wherever
  // they come from, and of no use to anybody who sees it.
  std::string identity;
};

// Makes an access token of the text that a file, a variable or a Secret holds.
//
// One trailing line break is left out. ESO sends the text as it is; but the token becomes a
// header's value, where no line break can be, so nothing that works with ESO means anything else
// here. UNAUTHENTICATED, with the cause only, when the text cannot be a token. Thread-safe.
Result<AccessToken> MakeAccessToken(std::string_view text);

}  // namespace escagent::store
