#include "tests/fakes/apiserver/request_info.h"

#include <algorithm>

#include "base/strings.h"

namespace escagent::apiserver {
namespace {

std::string NonResourceVerb(std::string method) {
  for (char& c : method) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return method;
}

std::string VerbOf(const httplib::Request& request, bool named) {
  if (request.method == "POST") return "create";
  if (request.method == "PUT") return "update";
  if (request.method == "PATCH") return "patch";
  if (request.method == "DELETE") return named ? "delete" : "deletecollection";
  if (request.method != "GET" && request.method != "HEAD") return NonResourceVerb(request.method);
  if (named) return "get";
  return FlagParameter(request, "watch") ? "watch" : "list";
}

std::vector<std::string> PartsOf(const std::string& path) {
  std::vector<std::string> parts;
  for (const std::string_view part : Split(path, '/')) {
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

}  // namespace

RequestInfo RequestInfo::Of(const httplib::Request& request) {
  RequestInfo info;
  info.path = request.path;
  info.verb = NonResourceVerb(request.method);
  const std::vector<std::string> parts = PartsOf(request.path);
  std::size_t at = 0;
  if (parts.size() > 2 && parts[0] == "api") {
    info.version = parts[1];
    at = 2;
  } else if (parts.size() > 3 && parts[0] == "apis") {
    info.group = parts[1];
    info.version = parts[2];
    at = 3;
  } else {
    return info;
  }
  if (parts[at] == "namespaces" && parts.size() > at + 1) {
    info.name_space = parts[at + 1];
    const bool inside =
        parts.size() > at + 2 && parts[at + 2] != "status" && parts[at + 2] != "finalize";
    if (inside) at += 2;
  }
  info.resource = parts[at];
  if (parts.size() > at + 1) info.name = parts[at + 1];
  if (parts.size() > at + 2) info.subresource = parts[at + 2];
  // Deeper paths do not exist: no resource has such a name.
  if (parts.size() > at + 3) return info;
  info.is_resource = true;
  info.verb = VerbOf(request, !info.name.empty());
  return info;
}

// Not httplib's own reading: that splits values at every '=', and selectors are full of them.
std::optional<std::string> FindParameter(const httplib::Request& request, std::string_view name) {
  const std::string_view target = request.target;
  const std::size_t question = target.find('?');
  if (question == std::string_view::npos) return std::nullopt;
  for (const std::string_view part : Split(target.substr(question + 1), '&')) {
    const std::size_t equals = std::min(part.find('='), part.size());
    if (part.substr(0, equals) != name) continue;
    const std::string value(part.substr(std::min(equals + 1, part.size())));
    return httplib::detail::decode_url(value, /*convert_plus_to_space=*/true);
  }
  return std::nullopt;
}

std::string Parameter(const httplib::Request& request, std::string_view name) {
  return FindParameter(request, name).value_or("");
}

bool FlagParameter(const httplib::Request& request, std::string_view name) {
  const std::string value = Parameter(request, name);
  return value == "true" || value == "1" || value == "True" || value == "t";
}

}  // namespace escagent::apiserver
