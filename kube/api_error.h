#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/http.h"
#include "base/result.h"
#include "kube/resource.h"

namespace escagent::kube {

// The Error for an answer that is not 2xx, or for a Status in a watch: "<action>: <the server's
// message>". The code follows the Status' reason where it has one (metav1.StatusReason), else the
// HTTP status; see api.h. retry_after is the Retry-After header, or the Status' retryAfterSeconds.
//
// Messages of the server can quote the object that was sent: for kinds that hold secrets all quoted
// values are taken out of them.
Error ApiError(const HttpResponse& response, std::string_view action, const Resource& resource,
               std::chrono::system_clock::time_point now);

// The same for a Status document that came with an answer of status 200 (an ERROR event of a
// watch).
Error StatusError(const nlohmann::json& status, std::string_view action, const Resource& resource);

}  // namespace escagent::kube
