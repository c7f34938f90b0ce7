#include <nlohmann/json.hpp>
#include <string>

#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/evaluation.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/secret_rewriter.h"

namespace escagent::devserver {
namespace {

// The request's ETag header (not If-Match) names the revision that the client has read; without one
// the newest is replaced whatever it is, as ESC does.
void Update(Backend& backend, const Request& request, httplib::Response& response) {
  const esc::EnvironmentRef ref{request.Argument("org"), request.Argument("project"),
                                request.Argument("env"), ""};
  const Secret text = RewriteSecrets(backend.secrets, request.http.body, SecretForm::kStored);
  if (const auto known = backend.definitions.Get(ref); !known) {
    return SendError(response, known.error());
  }
  const auto result =
      Evaluate(backend, request.identity, ref.organization, ref.project + "/" + ref.environment,
               text.Reveal(), {.mode = eval::EvalMode::kCheck, .show_secrets = true});
  if (!result->ok()) return SendFindings(response, result->diagnostics);
  const auto revision = backend.definitions.Update(ref, text, request.http.get_header_value("ETag"),
                                                   request.identity.login);
  if (!revision) return SendError(response, revision.error());
  SetRevisionHeaders(*revision, response);
  SendJson(response, 200, {{"diagnostics", esc::DiagnosticsToJson(result->diagnostics)}});
}

}  // namespace

void AddUpdateRoutes(Router& router) {
  router.Add("PATCH", "/api/esc/environments/{org}/{project}/{env}", Update);
}

}  // namespace escagent::devserver
