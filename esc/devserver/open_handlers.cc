#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/duration.h"
#include "base/json.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/base64_url.h"
#include "esc/devserver/evaluation.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/request_reading.h"
#include "esc/eval/environment_json.h"
#include "esc/property_path.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

// The owner of sessions for texts that are no environment.
std::string AnonymousOwner(const Request& request) { return request.Argument("org") + "/<yaml>"; }

// How long the session shall live; an error was sent when nothing is given back.
std::optional<std::chrono::milliseconds> DurationOf(Backend& backend, const Request& request,
                                                    httplib::Response& response) {
  const std::string text = request.Parameter("duration");
  if (text.empty()) return backend.default_session;
  const auto duration = ParseDuration(text, "duration");
  if (!duration) {
    SendError(response, duration.error());
    return std::nullopt;
  }
  if (duration->count() <= 0) {
    SendError(response, 400, "duration must be more than zero");
    return std::nullopt;
  }
  return *duration;
}

void SendSession(Backend& backend, std::string owner, SessionTable::Snapshot snapshot,
                 const Request& request, httplib::Response& response) {
  const auto duration = DurationOf(backend, request, response);
  if (!duration) return;
  if (!snapshot->ok()) return SendFindings(response, snapshot->diagnostics);
  json body = json::object();
  if (!snapshot->diagnostics.empty()) {
    body["diagnostics"] = esc::DiagnosticsToJson(snapshot->diagnostics);
  }
  body["id"] = backend.sessions.Add(std::move(owner), std::move(snapshot), *duration);
  SendJson(response, 200, body);
}

void Open(Backend& backend, const Request& request, httplib::Response& response) {
  const std::string& organization = request.Argument("org");
  const auto revision =
      backend.definitions.Get({organization, request.Argument("project"), request.Argument("env"),
                               request.Argument("version")});
  if (!revision) return SendError(response, revision.error());
  SendSession(backend, request.Environment(),
              Evaluate(backend, request.identity, organization,
                       request.Argument("project") + "/" + request.Argument("env"),
                       revision->text->Reveal()),
              request, response);
}

// The query's environmentOverrides: a JSON object of names, in base64url without padding.
Result<std::map<std::string, std::string, std::less<>>> OverridesOf(const Request& request) {
  std::map<std::string, std::string, std::less<>> overrides;
  const std::string text = request.Parameter("environmentOverrides");
  if (text.empty()) return overrides;
  const auto document = DecodeBase64Url(text);
  const auto names =
      document ? ParseJson(*document, "environmentOverrides") : Result<json>(InvalidArgument(""));
  const bool good = names && names->is_object() &&
                    std::ranges::all_of(*names, [](const json& name) { return name.is_string(); });
  if (!good) {
    return InvalidArgument(
        "environmentOverrides must be a JSON object of environments' names in base64url");
  }
  for (const auto& [imported, instead] : names->items()) {
    overrides.emplace(imported, instead.get<std::string>());
  }
  return overrides;
}

void OpenYaml(Backend& backend, const Request& request, httplib::Response& response) {
  auto overrides = OverridesOf(request);
  if (!overrides) return SendError(response, overrides.error());
  SendSession(backend, AnonymousOwner(request),
              Evaluate(backend, request.identity, request.Argument("org"),
                       std::string(eval::kAnonymousEnvironment), request.http.body,
                       {.overrides = *std::move(overrides)}),
              request, response);
}

eval::EnvironmentJsonOptions OptionsOf(const Request& request) {
  eval::EnvironmentJsonOptions options = JsonOptionsOf(request);
  options.omit_base = true;
  return options;
}

void SendProperty(const eval::EvalResult& result, const Request& request,
                  httplib::Response& response) {
  const auto path = esc::PropertyPath::Parse(request.Parameter("property"));
  if (!path) return SendError(response, path.error());
  if (const auto value = path->Lookup(result.properties); !value) {
    return SendError(response, value.error());
  }
  SecretBuilder body;
  eval::WritePropertyJson(result, *path, OptionsOf(request), body);
  SendValues(response, body);
}

void SendSnapshot(Backend& backend, const std::string& owner, const Request& request,
                  httplib::Response& response) {
  const auto snapshot = backend.sessions.Find(owner, request.Argument("id"));
  if (!snapshot) return SendError(response, snapshot.error());
  if (request.http.has_param("property")) return SendProperty(**snapshot, request, response);
  SecretBuilder body;
  eval::WriteEnvironmentJson(**snapshot, OptionsOf(request), body);
  SendValues(response, body);
}

void ReadSession(Backend& backend, const Request& request, httplib::Response& response) {
  SendSnapshot(backend, request.Environment(), request, response);
}

void ReadYamlSession(Backend& backend, const Request& request, httplib::Response& response) {
  SendSnapshot(backend, AnonymousOwner(request), request, response);
}

}  // namespace

void AddOpenRoutes(Router& router) {
  router.Add("POST", "/api/esc/environments/{org}/yaml/open", OpenYaml);
  router.Add("GET", "/api/esc/environments/{org}/yaml/open/{id}", ReadYamlSession);
  router.Add("POST", "/api/esc/environments/{org}/{project}/{env}/open", Open);
  router.Add("POST", "/api/esc/environments/{org}/{project}/{env}/versions/{version}/open", Open);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/open/{id}", ReadSession);
}

}  // namespace escagent::devserver
