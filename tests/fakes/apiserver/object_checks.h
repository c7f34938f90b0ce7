#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/object_writer.h"
#include "tests/fakes/apiserver/resource.h"

namespace escagent::apiserver {

// The checks of ObjectWriter, and its comparisons. Pure functions.

// Whether a body is of the kind, namespace and name that the request's path names.
Done CheckIdentity(const WriteTarget& target, const nlohmann::json& body);

// Metadata, schema and the rules of built-in kinds. `before` is null for a new object.
Done CheckObject(const Resource& resource, const nlohmann::json* before,
                 const nlohmann::json& object);

// The resourceVersion and the uid that a write names. `replace`: of a PUT, which for some kinds
// must name a resourceVersion.
Done CheckPreconditions(const WriteTarget& target, const nlohmann::json& current,
                        const nlohmann::json& next, bool replace);

// Whether two objects are the same but for some members. Copies nothing.
bool SameBut(const nlohmann::json& a, const nlohmann::json& b,
             std::initializer_list<std::string_view> names);

// Whether a write says nothing new.
bool IsSame(const nlohmann::json& before, const nlohmann::json& after);

}  // namespace escagent::apiserver
