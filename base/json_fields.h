#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace escagent {

// Reads of JSON that others wrote: what is absent, or of another type, is "nothing", without
// exceptions. `key` is a member's name.

// The member, or a null document that lives for ever.
const nlohmann::json& Member(const nlohmann::json& object, std::string_view key);
// Empty when absent or not a string.
std::string StringMember(const nlohmann::json& object, std::string_view key);
// 0 when absent, not an integer, or too large.
std::int64_t IntegerMember(const nlohmann::json& object, std::string_view key);
bool BoolMember(const nlohmann::json& object, std::string_view key);
// The strings of an array; other elements are left out.
std::vector<std::string> StringsMember(const nlohmann::json& object, std::string_view key);

// The text of a request's body, written straight into wiped memory. `what` names the document in
// the error: INVALID_ARGUMENT when a string is not valid UTF-8.
Result<Secret> SerializeJson(const nlohmann::json& document, std::string_view what);

}  // namespace escagent
