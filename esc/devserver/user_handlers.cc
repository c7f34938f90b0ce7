#include <nlohmann/json.hpp>
#include <string>

#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

constexpr const char* kUserLogin = "developer";

void GetUser(Backend& backend, const Request&, httplib::Response& response) {
  json organizations = json::array();
  for (const std::string& name : backend.definitions.Organizations()) {
    organizations.push_back({{"githubLogin", name}, {"name", name}});
  }
  SendJson(response, 200,
           {{"id", "00000000-0000-0000-0000-000000000000"},
            {"githubLogin", kUserLogin},
            {"name", kUserLogin},
            {"email", "developer@localhost"},
            {"organizations", std::move(organizations)}});
}

void GetDefaultOrganization(Backend& backend, const Request&, httplib::Response& response) {
  const auto organizations = backend.definitions.Organizations();
  if (organizations.empty()) return SendError(response, 404, "there is no organization");
  SendJson(response, 200, {{"gitHubLogin", organizations.front()}});
}

}  // namespace

void AddUserRoutes(Router& router) {
  router.Add("GET", "/api/user", GetUser);
  router.Add("GET", "/api/user/organizations/default", GetDefaultOrganization);
}

}  // namespace escagent::devserver
