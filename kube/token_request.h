#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "kube/api.h"
#include "kube/object.h"
#include "kube/resource.h"

namespace escagent::kube {

// A new token of a service account for these audiences (authentication.k8s.io/v1 TokenRequest),
// good for `lifetime` (the API server's least is 10 minutes) or what the API server makes of it.
// Errors as Api::CreateSubresource's; UNAVAILABLE when the answer holds no token.
Result<Secret> RequestToken(Api& api, const ObjectKey& service_account,
                            const std::vector<std::string>& audiences,
                            std::chrono::seconds lifetime, const CallOptions& options);

}  // namespace escagent::kube
