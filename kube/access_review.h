#pragma once

#include <string>

#include "base/result.h"
#include "kube/api.h"

namespace escagent::kube {

// One thing that somebody may be allowed to do.
struct AccessQuestion {
  std::string verb;
  std::string group;  // empty: the core group
  std::string resource;
  std::string subresource{};     // empty: the object itself
  std::string namespace_name{};  // empty: in all namespaces
  std::string name{};            // empty: all of them
};

// Whether the API server lets whoever asks do it (authorization.k8s.io/v1 SelfSubjectAccessReview,
// which every account may create). Errors as Api::Create's.
Result<bool> MayI(Api& api, const AccessQuestion& question, const CallOptions& options);

}  // namespace escagent::kube
