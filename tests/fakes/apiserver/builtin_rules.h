#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/resource.h"

namespace escagent::apiserver {

// What the API server does with objects of the built-in kinds before it validates them: defaults,
// and Secret's stringData. BAD_REQUEST for data that is not base64.
Done PrepareBuiltin(const Resource& resource, nlohmann::json& object);

// The status of a new object: none where it is a subresource, else what the server itself sets.
void SetInitialStatus(const Resource& resource, nlohmann::json& object);

// The rules of k8s.io/kubernetes/pkg/apis/core/validation that the agent meets: keys, sizes, types
// and immutability of Secrets and ConfigMaps. `before` is null for a new object.
void ValidateBuiltin(const Resource& resource, const nlohmann::json* before,
                     const nlohmann::json& object, std::vector<FieldCause>& causes);

}  // namespace escagent::apiserver
