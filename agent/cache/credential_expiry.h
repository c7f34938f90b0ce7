#pragma once

#include <chrono>
#include <optional>

#include "esc/value.h"

namespace escagent::cache {

// When the first of the credentials among opened values expires, as far as they say: ESC has no
// field for it, but providers' outputs have (reference/esc-api.md "Session lifetime").
//
// Looked at, anywhere in the values: members called expiration, expirationTime, expiresAt,
// expiresOn, expiry and expireTime with a time (RFC 3339, or seconds or milliseconds since 1970),
// and expiresIn and leaseDuration with a number of seconds from `opened` on; in any case, with or
// without `_` and `-`. What has expired already, or is further away than a year, says nothing.
std::optional<std::chrono::system_clock::time_point> FindCredentialExpiry(
    const esc::Value& properties, std::chrono::system_clock::time_point opened);

}  // namespace escagent::cache
