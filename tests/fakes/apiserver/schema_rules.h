#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/schema.h"

namespace escagent::apiserver {

// Removes the members that the schema does not know; their paths go into `unknown`.
void PruneUnknown(const Schema& schema, nlohmann::json& value, const std::string& path,
                  std::vector<std::string>& unknown);

// Fills in defaults. A null where null is not allowed is as good as absent where there is a
// default.
void ApplyDefaults(const Schema& schema, nlohmann::json& value);

// Checks a value; causes in the words of apiextensions-apiserver.
void Validate(const Schema& schema, const nlohmann::json& value, const std::string& path,
              std::vector<FieldCause>& causes);

// path.name, or name at the top.
std::string Below(const std::string& path, const std::string& name);

}  // namespace escagent::apiserver
