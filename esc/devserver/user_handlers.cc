#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

// The organizations that the caller belongs to.
std::vector<std::string> OrganizationsOf(Backend& backend, const Identity& identity) {
  if (!identity.organization.empty()) return {identity.organization};
  return backend.definitions.Organizations();
}

void GetUser(Backend& backend, const Request& request, httplib::Response& response) {
  const Identity& identity = request.identity;
  json organizations = json::array();
  for (const std::string& name : OrganizationsOf(backend, identity)) {
    organizations.push_back({{"githubLogin", name}, {"name", name}});
  }
  json user = {{"id", identity.user_id},
               {"githubLogin", identity.login},
               {"name", identity.login},
               {"email", "developer@localhost"},
               {"organizations", std::move(organizations)},
               {"identities", json::array()}};
  if (!identity.token_name.empty()) {
    user["tokenInfo"] = {{"name", identity.token_name}, {"organization", identity.organization}};
    if (!identity.team.empty()) user["tokenInfo"]["team"] = identity.team;
  }
  SendJson(response, 200, user);
}

void GetDefaultOrganization(Backend& backend, const Request& request, httplib::Response& response) {
  const auto organizations = OrganizationsOf(backend, request.identity);
  if (organizations.empty()) return SendError(response, 404, "there is no organization");
  SendJson(response, 200, {{"gitHubLogin", organizations.front()}});
}

}  // namespace

void AddUserRoutes(Router& router) {
  router.Add("GET", "/api/user", GetUser);
  router.Add("GET", "/api/user/organizations/default", GetDefaultOrganization);
}

}  // namespace escagent::devserver
