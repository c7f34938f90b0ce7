#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>

#include "base/duration.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/secret_rewriter.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

constexpr const char* kAuthor = "developer";
constexpr int kMaxCount = 500;

esc::EnvironmentRef RefOf(const Request& request) {
  return {request.Argument("org"), request.Argument("project"), request.Argument("env"),
          request.Argument("version")};
}

void SendList(Backend& backend, const std::string& organization, httplib::Response& response) {
  json environments = json::array();
  for (const DefinitionStore::Entry& entry : backend.definitions.List(organization)) {
    const std::string modified = FormatTime(entry.modified);
    environments.push_back({{"organization", entry.organization},
                            {"project", entry.project},
                            {"name", entry.environment},
                            {"created", modified},
                            {"modified", modified}});
  }
  SendJson(response, 200, {{"environments", std::move(environments)}});
}

void ListAll(Backend& backend, const Request& request, httplib::Response& response) {
  SendList(backend, request.Parameter("organization"), response);
}

void ListOrganization(Backend& backend, const Request& request, httplib::Response& response) {
  const std::string& organization = request.Argument("org");
  const auto known = backend.definitions.Organizations();
  if (std::ranges::find(known, organization) == known.end()) {
    SendError(response, 404, "organization '" + organization + "' not found");
    return;
  }
  SendList(backend, organization, response);
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
  const Secret text = RewriteSecrets(revision->text->Reveal(), form);
  response.set_content(std::string(text.Reveal()), "application/x-yaml");
}

void GetDefinition(Backend& backend, const Request& request, httplib::Response& response) {
  SendDefinition(backend, request, SecretForm::kEncrypted, response);
}

void GetDecrypted(Backend& backend, const Request& request, httplib::Response& response) {
  SendDefinition(backend, request, SecretForm::kPlain, response);
}

// A number of the query, or `fallback`.
int NumberOf(const Request& request, const std::string& name, int fallback) {
  const std::string text = request.Parameter(name);
  int number = fallback;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The newest first, below "before" (0: from the newest on), at most "count".
void ListRevisions(Backend& backend, const Request& request, httplib::Response& response) {
  const auto history = backend.definitions.History(RefOf(request));
  if (!history) return SendError(response, history.error());
  const int before = NumberOf(request, "before", 0);
  const int count = std::clamp(NumberOf(request, "count", kMaxCount), 0, kMaxCount);
  json list = json::array();
  for (const Revision& revision : *history) {
    if (static_cast<int>(list.size()) >= count) break;
    if (before > 0 && revision.number >= before) continue;
    list.push_back({{"number", revision.number},
                    {"created", FormatTime(revision.created)},
                    {"creatorLogin", kAuthor},
                    {"creatorName", kAuthor},
                    {"tags", revision.number == history->front().number ? json::array({"latest"})
                                                                        : json::array()}});
  }
  SendJson(response, 200, list);
}

// Only the built-in tag: the server has no others.
void GetRevisionTag(Backend& backend, const Request& request, httplib::Response& response) {
  const std::string& tag = request.Argument("tag");
  const auto revision = backend.definitions.Get(RefOf(request));
  if (!revision) return SendError(response, revision.error());
  if (tag != "latest") {
    SendError(response, 404,
              "environment '" + request.Environment() + "' has no revision tag '" + tag + "'");
    return;
  }
  const std::string time = FormatTime(revision->created);
  SendJson(response, 200,
           {{"name", tag},
            {"revision", revision->number},
            {"created", time},
            {"modified", time},
            {"editorLogin", kAuthor},
            {"editorName", kAuthor}});
}

}  // namespace

void AddEnvironmentRoutes(Router& router) {
  router.Add("GET", "/api/esc/environments", ListAll);
  router.Add("GET", "/api/esc/environments/{org}", ListOrganization);
  router.Add("HEAD", "/api/esc/environments/{org}/{project}/{env}", Head);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}", GetDefinition);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/decrypt", GetDecrypted);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/versions", ListRevisions);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/versions/{version}",
             GetDefinition);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/versions/{version}/decrypt",
             GetDecrypted);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/versions/tags/{tag}",
             GetRevisionTag);
}

}  // namespace escagent::devserver
