#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "esc/devserver/router.h"
#include "esc/environment_ref.h"

namespace escagent::devserver {

// The environment, and the version if any, of a request's path.
esc::EnvironmentRef RefOf(const Request& request);

// A number of the query, or `fallback`.
int NumberOf(const Request& request, const std::string& name, int fallback);

// The body as a JSON object; an empty body is an empty one. INVALID_ARGUMENT for anything else.
Result<nlohmann::json> ReadBody(const Request& request);

// Members of a body. INVALID_ARGUMENT when they have another kind; absent ones and null leave the
// value as it is.
Status ReadMember(const nlohmann::json& body, const char* name, std::string& out);
Status ReadMember(const nlohmann::json& body, const char* name, bool& out);
Status ReadMember(const nlohmann::json& body, const char* name, int& out);

}  // namespace escagent::devserver
