#pragma once

#include <httplib.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fakes/apiserver/faults.h"

namespace escagent::apiserver {

// What a request is about, from its method and path (k8s.io/apiserver/pkg/endpoints/request).
struct RequestInfo {
  // Below /api/v1 or /apis/GROUP/VERSION with a resource.
  bool is_resource = false;
  std::string path;
  std::string verb;  // "get", "list", "watch", "create", "update", "patch", "delete", ...
  std::string group;
  std::string version;
  std::string name_space;
  std::string resource;
  std::string name;
  std::string subresource;

  static RequestInfo Of(const httplib::Request& request);

  // "externalsecrets/status".
  std::string ResourceAndSub() const {
    return subresource.empty() ? resource : resource + "/" + subresource;
  }
  RequestLabel Label() const {
    return {.verb = verb, .resource = ResourceAndSub(), .name_space = name_space, .name = name};
  }
};

// A parameter of the query, decoded. Parameter: empty when absent.
std::optional<std::string> FindParameter(const httplib::Request& request, std::string_view name);
std::string Parameter(const httplib::Request& request, std::string_view name);
bool FlagParameter(const httplib::Request& request, std::string_view name);

}  // namespace escagent::apiserver
