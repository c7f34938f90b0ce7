#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/duration.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/evaluation.h"
#include "esc/devserver/handlers.h"
#include "esc/property_path.h"
#include "esc/value_json.h"

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

void SendFindings(const eval::EvalResult& result, httplib::Response& response) {
  SendError(response, 400, "the environment definition is invalid", result.diagnostics);
}

void SendSession(Backend& backend, std::string owner, SessionTable::Snapshot snapshot,
                 const Request& request, httplib::Response& response) {
  const auto duration = DurationOf(backend, request, response);
  if (!duration) return;
  if (!snapshot->ok()) return SendFindings(*snapshot, response);
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

void OpenYaml(Backend& backend, const Request& request, httplib::Response& response) {
  SendSession(backend, AnonymousOwner(request),
              Evaluate(backend, request.identity, request.Argument("org"),
                       std::string(eval::kAnonymousEnvironment), request.http.body),
              request, response);
}

esc::SourcePosition ToWire(const eval::Position& position) {
  return {
      .line = position.line, .column = position.column, .byte = static_cast<int>(position.byte)};
}

esc::WireOptions WireOptionsOf(const eval::EvalResult& result, const Request& request) {
  esc::WireOptions options;
  options.omit_null_value = request.old_server;
  options.omit_trace = request.old_server;
  options.range = [&result](const esc::PropertyPath& path) -> std::optional<esc::SourceRange> {
    const auto range = result.RangeOf(path);
    if (!range) return std::nullopt;
    return esc::SourceRange{.environment = std::string(range->EnvironmentName()),
                            .begin = ToWire(range->begin),
                            .end = ToWire(range->end)};
  };
  return options;
}

void SendBody(const SecretBuilder& body, httplib::Response& response) {
  response.status = 200;
  response.set_content(std::string(body.Reveal()), "application/json");
}

void SendProperty(const eval::EvalResult& result, const Request& request,
                  httplib::Response& response) {
  const auto path = esc::PropertyPath::Parse(request.Parameter("property"));
  if (!path) return SendError(response, path.error());
  const auto value = path->Lookup(result.properties);
  if (!value) return SendError(response, value.error());
  SecretBuilder body;
  esc::WriteValueNode(**value, *path, WireOptionsOf(result, request), body);
  SendBody(body, response);
}

void SendSnapshot(Backend& backend, const std::string& owner, const Request& request,
                  httplib::Response& response) {
  const auto snapshot = backend.sessions.Find(owner, request.Argument("id"));
  if (!snapshot) return SendError(response, snapshot.error());
  if (request.http.has_param("property")) return SendProperty(**snapshot, request, response);
  SecretBuilder body;
  esc::WriteEnvironment((*snapshot)->properties, WireOptionsOf(**snapshot, request), {}, body);
  SendBody(body, response);
}

void ReadSession(Backend& backend, const Request& request, httplib::Response& response) {
  SendSnapshot(backend, request.Environment(), request, response);
}

void ReadYamlSession(Backend& backend, const Request& request, httplib::Response& response) {
  SendSnapshot(backend, AnonymousOwner(request), request, response);
}

void CheckYaml(Backend& backend, const Request& request, httplib::Response& response) {
  const auto result = Evaluate(backend, request.identity, request.Argument("org"),
                               std::string(eval::kAnonymousEnvironment), request.http.body);
  if (!result->ok()) return SendFindings(*result, response);
  SecretBuilder body;
  esc::WriteEnvironment(result->properties, WireOptionsOf(*result, request), result->diagnostics,
                        body);
  SendBody(body, response);
}

}  // namespace

void AddOpenRoutes(Router& router) {
  router.Add("POST", "/api/esc/environments/{org}/yaml/check", CheckYaml);
  router.Add("POST", "/api/esc/environments/{org}/yaml/open", OpenYaml);
  router.Add("GET", "/api/esc/environments/{org}/yaml/open/{id}", ReadYamlSession);
  router.Add("POST", "/api/esc/environments/{org}/{project}/{env}/open", Open);
  router.Add("POST", "/api/esc/environments/{org}/{project}/{env}/versions/{version}/open", Open);
  router.Add("GET", "/api/esc/environments/{org}/{project}/{env}/open/{id}", ReadSession);
}

}  // namespace escagent::devserver
