#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/request_reading.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

bool MayCreate(const Request& request, const esc::EnvironmentRef& ref,
               httplib::Response& response) {
  if (request.identity.May(Permission::kWrite, ref.organization,
                           ref.project + "/" + ref.environment)) {
    return true;
  }
  SendError(response, 403,
            "no permission to create environment '" + ref.project + "/" + ref.environment + "'");
  return false;
}

void CreateEmpty(Backend& backend, const Request& request, const esc::EnvironmentRef& ref,
                 httplib::Response& response) {
  if (!MayCreate(request, ref, response)) return;
  EnvironmentState state;
  state.Append(Secret(), request.identity.login, backend.clock.WallNow());
  const Status created = backend.definitions.Create(ref, std::move(state), request.identity.login);
  if (!created) return SendError(response, created.error());
  SendDone(backend, request, response);
}

void Create(Backend& backend, const Request& request, httplib::Response& response) {
  const auto body = ReadBody(request);
  if (!body) return SendError(response, body.error());
  esc::EnvironmentRef ref{request.Argument("org"), "default", "", ""};
  for (const Status& read :
       {ReadMember(*body, "project", ref.project), ReadMember(*body, "name", ref.environment)}) {
    if (!read) return SendError(response, read.error());
  }
  CreateEmpty(backend, request, ref, response);
}

// As the API before projects has it.
void CreateNamed(Backend& backend, const Request& request, httplib::Response& response) {
  CreateEmpty(backend, request, RefOf(request), response);
}

struct CloneOptions {
  std::string project{};
  std::string name{};
  int version = 0;  // 0: the newest
  bool history = false;
  bool tags = false;
  bool revision_tags = false;
};

Result<CloneOptions> ReadCloneOptions(const Request& request) {
  ESC_ASSIGN_OR_RETURN(const json body, ReadBody(request));
  CloneOptions options{.project = request.Argument("project")};
  ESC_RETURN_IF_ERROR(ReadMember(body, "project", options.project));
  ESC_RETURN_IF_ERROR(ReadMember(body, "name", options.name));
  ESC_RETURN_IF_ERROR(ReadMember(body, "version", options.version));
  ESC_RETURN_IF_ERROR(ReadMember(body, "preserveHistory", options.history));
  ESC_RETURN_IF_ERROR(ReadMember(body, "preserveEnvironmentTags", options.tags));
  ESC_RETURN_IF_ERROR(ReadMember(body, "preserveRevisionTags", options.revision_tags));
  return options;
}

EnvironmentState StateOfClone(const EnvironmentState& source, const Revision& revision,
                              const CloneOptions& options, const std::string& login,
                              Clock::WallTime now) {
  EnvironmentState state;
  if (options.history) {
    state.last_number = source.last_number;
    state.revisions = source.revisions;
    // An earlier version becomes the newest text again.
    if (revision.number != source.revisions.back().number) {
      state.Append(revision.text->Clone(), login, now);
    }
    if (options.revision_tags) state.revision_tags = source.revision_tags;
  } else {
    state.Append(revision.text->Clone(), login, now);
  }
  state.created = now;
  if (options.tags) state.tags = source.tags;
  return state;
}

void Clone(Backend& backend, const Request& request, httplib::Response& response) {
  const auto options = ReadCloneOptions(request);
  if (!options) return SendError(response, options.error());
  esc::EnvironmentRef source = RefOf(request);
  if (options->version > 0) source.version = std::to_string(options->version);
  const esc::EnvironmentRef target{source.organization, options->project, options->name, ""};
  if (!MayCreate(request, target, response)) return;
  const auto state = backend.definitions.Describe(source);
  const auto revision = backend.definitions.Get(source);
  if (!state) return SendError(response, state.error());
  if (!revision) return SendError(response, revision.error());
  const Status created = backend.definitions.Create(
      target,
      StateOfClone(**state, *revision, *options, request.identity.login, backend.clock.WallNow()),
      request.identity.login);
  if (!created) return SendError(response, created.error());
  response.status = 204;
}

void Delete(Backend& backend, const Request& request, httplib::Response& response) {
  const Status deleted = backend.definitions.Delete(RefOf(request), request.identity.login);
  if (!deleted) return SendError(response, deleted.error());
  SendDone(backend, request, response);
}

void SendSettings(const EnvironmentState& state, httplib::Response& response) {
  SendJson(response, 200, {{"deletionProtected", state.deletion_protected}});
}

void GetSettings(Backend& backend, const Request& request, httplib::Response& response) {
  const auto state = backend.definitions.Describe(RefOf(request));
  if (!state) return SendError(response, state.error());
  SendSettings(**state, response);
}

void UpdateSettings(Backend& backend, const Request& request, httplib::Response& response) {
  const auto body = ReadBody(request);
  if (!body) return SendError(response, body.error());
  const auto state = backend.definitions.Modify(RefOf(request),
                                                [&](EnvironmentState& changed) {
                                                  return ReadMember(*body, "deletionProtected",
                                                                    changed.deletion_protected);
                                                },
                                                {});
  if (!state) return SendError(response, state.error());
  SendSettings(**state, response);
}

}  // namespace

void AddLifecycleRoutes(Router& router) {
  const std::string environment = "/api/esc/environments/{org}/{project}/{env}";
  router.Add("POST", "/api/esc/environments/{org}", Create);
  router.Add("POST", environment, CreateNamed);
  router.Add("POST", environment + "/clone", Clone);
  router.Add("DELETE", environment, Delete);
  router.Add("GET", environment + "/settings", GetSettings);
  router.Add("PATCH", environment + "/settings", UpdateSettings);
}

}  // namespace escagent::devserver
