#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/http.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::esc {

// The Error for an answer of ESC whose status is not 2xx (reference/esc-api.md "Errors").
//
// `action` says what was being done to what ("open environment acme/web/dev"). The message has the
// status, ESC's own "message" and the first few diagnostics, each cut to 500 bytes and made one
// line, X-Pulumi-Request-ID for a 5xx, and what the reader can do. Anything else in the body, and
// any body that is not of ESC's shape, is left out. `token` never appears, even when the server
// sends it back. `now` is for a Retry-After that is a date.
//
// Codes: CodeOfHttpStatus, but a redirect and every other status that ESC does not use is
// UNAVAILABLE, as such an answer comes from something in between.
Error ApiError(const HttpResponse& response, std::string_view action, const Secret& token,
               std::chrono::system_clock::time_point now);

// `text` with "[token]" for the token wherever it stands in it. Texts too short to be tokens are
// not looked for.
std::string WithoutToken(std::string text, const Secret& token);

// The message of an ApiError without the request's id, which differs each time: for texts that are
// compared, or written only when they change.
std::string WithoutRequestId(std::string message);

}  // namespace escagent::esc
