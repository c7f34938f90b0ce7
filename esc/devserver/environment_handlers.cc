#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/duration.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/imports.h"
#include "esc/devserver/request_reading.h"
#include "esc/devserver/secret_rewriter.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

constexpr int kMaxResults = 500;

json ListedEnvironment(Backend& backend, const DefinitionStore::Entry& entry) {
  // A definition that cannot be read is there all the same.
  const auto state = backend.definitions.Describe(entry.ref);
  return {{"organization", entry.ref.organization},
          {"project", entry.ref.project},
          {"name", entry.ref.environment},
          {"created", FormatTime(state ? (*state)->created : entry.modified)},
          {"modified", FormatTime(state ? (*state)->revisions.back().created : entry.modified)}};
}

// Pages: the token is the name of the last environment before.
void SendList(Backend& backend, const std::string& organization, const Request& request,
              httplib::Response& response) {
  const std::string after = request.Parameter("continuationToken");
  const auto count = static_cast<std::size_t>(
      std::clamp(NumberOf(request, "maxResults", kMaxResults), 1, kMaxResults));
  json environments = json::array();
  json body = json::object();
  bool began = after.empty();
  for (const DefinitionStore::Entry& entry : backend.definitions.List(organization)) {
    const std::string name = entry.ref.ToString();
    const std::string short_name = entry.ref.project + "/" + entry.ref.environment;
    if (!began) {
      began = name == after;
      continue;
    }
    if (!request.identity.May(Permission::kRead, entry.ref.organization, short_name)) continue;
    if (environments.size() == count) {
      const json& last = environments.back();
      body["nextToken"] = last["organization"].get<std::string>() + "/" +
                          last["project"].get<std::string>() + "/" +
                          last["name"].get<std::string>();
      break;
    }
    environments.push_back(ListedEnvironment(backend, entry));
  }
  body["environments"] = std::move(environments);
  SendJson(response, 200, body);
}

void ListAll(Backend& backend, const Request& request, httplib::Response& response) {
  SendList(backend, request.Parameter("organization"), request, response);
}

void ListOrganization(Backend& backend, const Request& request, httplib::Response& response) {
  const std::string& organization = request.Argument("org");
  const auto known = backend.definitions.Organizations();
  if (std::ranges::find(known, organization) == known.end()) {
    SendError(response, 404, "organization '" + organization + "' not found");
    return;
  }
  SendList(backend, organization, request, response);
}

void Head(Backend& backend, const Request& request, httplib::Response& response) {
  const auto revision = backend.definitions.Get(RefOf(request));
  if (!revision) return SendError(response, revision.error());
  SetRevisionHeaders(*revision, response);
  response.status = 200;
}

void SendDefinition(Backend& backend, const Request& request, SecretForm form,
                    httplib::Response& response) {
  const auto revision = backend.definitions.Get(RefOf(request));
  if (!revision) return SendError(response, revision.error());
  SetRevisionHeaders(*revision, response);
  response.status = 200;
  const Secret text = RewriteSecrets(backend.secrets, revision->text->Reveal(), form);
  response.set_content(std::string(text.Reveal()), "application/x-yaml");
}

void GetDefinition(Backend& backend, const Request& request, httplib::Response& response) {
  SendDefinition(backend, request, SecretForm::kEncrypted, response);
}

void GetDecrypted(Backend& backend, const Request& request, httplib::Response& response) {
  SendDefinition(backend, request, SecretForm::kPlain, response);
}

// Who imports the environment, by the version that is imported.
void ListReferrers(Backend& backend, const Request& request, httplib::Response& response) {
  const esc::EnvironmentRef ref = RefOf(request);
  if (const auto known = backend.definitions.Describe(ref); !known) {
    return SendError(response, known.error());
  }
  int left = std::max(NumberOf(request, "count", kMaxResults), 1);
  json referrers = json::object();
  for (const DefinitionStore::Entry& entry : backend.definitions.List(ref.organization)) {
    const auto state = backend.definitions.Describe(entry.ref);
    if (!state) continue;
    for (const Import& import : ImportsOf((*state)->revisions.back().text->Reveal())) {
      if (import.project != ref.project || import.environment != ref.environment) continue;
      if (left-- <= 0) break;
      referrers[import.version.empty() ? "latest" : import.version].push_back(
          {{"environment",
            {{"project", entry.ref.project},
             {"name", entry.ref.environment},
             {"revision", (*state)->revisions.back().number}}}});
    }
  }
  SendJson(response, 200, {{"referrers", std::move(referrers)}});
}

}  // namespace

void AddEnvironmentRoutes(Router& router) {
  router.Add("GET", "/api/esc/environments", ListAll);
  router.Add("GET", "/api/esc/environments/{org}", ListOrganization);
  router.Add("HEAD", "/api/esc/environments/{org}/{project}/{env}", Head);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}", GetDefinition);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/decrypt", GetDecrypted);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/referrers", ListReferrers);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/versions/{version}",
             GetDefinition);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/versions/{version}/decrypt",
             GetDecrypted);
}

}  // namespace escagent::devserver
