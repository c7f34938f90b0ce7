#include "esc/devserver/request_reading.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/json.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

// Null when it is absent.
const json* Find(const json& body, const char* name) {
  const auto found = body.find(name);
  return found == body.end() || found->is_null() ? nullptr : &*found;
}

Status Bad(const char* name, const char* expected) {
  return InvalidArgument(std::string("the body's \"") + name + "\" must be " + expected);
}

}  // namespace

esc::EnvironmentRef RefOf(const Request& request) {
  return {request.Argument("org"), request.Argument("project"), request.Argument("env"),
          request.Argument("version")};
}

int NumberOf(const Request& request, const std::string& name, int fallback) {
  const std::string text = request.Parameter(name);
  int number = fallback;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

eval::EnvironmentJsonOptions JsonOptionsOf(const Request& request) {
  return {.omit_null_value = request.old_server, .omit_trace = request.old_server};
}

bool IsOn(const Request& request, const std::string& name) {
  return request.Parameter(name) == "true";
}

Result<json> ReadBody(const Request& request) {
  if (request.http.body.empty()) return json::object();
  ESC_ASSIGN_OR_RETURN(json body, ParseJson(request.http.body, "the body"));
  if (!body.is_object()) return InvalidArgument("the body must be a JSON object");
  return body;
}

Status ReadMember(const json& body, const char* name, std::string& out) {
  const json* member = Find(body, name);
  if (member == nullptr) return {};
  if (!member->is_string()) return Bad(name, "a string");
  out = member->get<std::string>();
  return {};
}

Status ReadMember(const json& body, const char* name, bool& out) {
  const json* member = Find(body, name);
  if (member == nullptr) return {};
  if (!member->is_boolean()) return Bad(name, "true or false");
  out = member->get<bool>();
  return {};
}

Status ReadMember(const json& body, const char* name, int& out) {
  const json* member = Find(body, name);
  if (member == nullptr) return {};
  const std::int64_t number = member->is_number_integer() ? member->get<std::int64_t>() : -1;
  if (number < 0 || number > std::numeric_limits<int>::max()) return Bad(name, "a whole number");
  out = static_cast<int>(number);
  return {};
}

Status ReadMember(const json& body, const char* name, std::vector<std::string>& out) {
  const json* member = Find(body, name);
  if (member == nullptr) return {};
  const bool good = member->is_array() &&
                    std::ranges::all_of(*member, [](const json& text) { return text.is_string(); });
  if (!good) return Bad(name, "a list of strings");
  out = member->get<std::vector<std::string>>();
  return {};
}

}  // namespace escagent::devserver
