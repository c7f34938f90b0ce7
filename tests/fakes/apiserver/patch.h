#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/schema.h"

namespace escagent::apiserver {

// RFC 6902. INVALID (422) when an operation cannot be done, as the API server answers.
Outcome<nlohmann::json> JsonPatch(const nlohmann::json& document, const nlohmann::json& patch);

// RFC 7386.
nlohmann::json MergePatch(nlohmann::json document, const nlohmann::json& patch);

// Strategic merge: as MergePatch, but lists of type map are merged by their keys, with the
// directive
// "$patch": "delete" in an item or "replace" in an item or an object. Other directives
// ($setElementOrder is taken, the rest is refused) end with 501.
Outcome<nlohmann::json> StrategicMergePatch(nlohmann::json document, const nlohmann::json& patch,
                                            const Schema& schema);

}  // namespace escagent::apiserver
