#include <string>

#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/evaluation.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/request_reading.h"
#include "esc/devserver/secret_rewriter.h"

namespace escagent::devserver {
namespace {

// The parameter showSecrets: whether secrets that are ciphertext are decrypted.
void SendCheck(Backend& backend, const Request& request, std::string environment,
               std::string_view text, httplib::Response& response) {
  const auto result =
      Evaluate(backend, request.identity, request.Argument("org"), std::move(environment), text,
               {.mode = eval::EvalMode::kCheck, .show_secrets = IsOn(request, "showSecrets")});
  if (!result->ok()) return SendFindings(response, result->diagnostics);
  eval::EnvironmentJsonOptions options = JsonOptionsOf(request);
  options.diagnostics = true;
  SecretBuilder body;
  eval::WriteEnvironmentJson(*result, options, body);
  SendValues(response, body);
}

void CheckYaml(Backend& backend, const Request& request, httplib::Response& response) {
  SendCheck(backend, request, std::string(eval::kAnonymousEnvironment), request.http.body,
            response);
}

// Of the text that GET serves (or, with secrets, GET .../decrypt), so that positions fit.
void Check(Backend& backend, const Request& request, httplib::Response& response) {
  const auto revision = backend.definitions.Get(RefOf(request));
  if (!revision) return SendError(response, revision.error());
  const SecretForm form =
      IsOn(request, "showSecrets") ? SecretForm::kStored : SecretForm::kEncrypted;
  const Secret text = RewriteSecrets(backend.secrets, revision->text->Reveal(), form);
  SendCheck(backend, request, request.Argument("project") + "/" + request.Argument("env"),
            text.Reveal(), response);
}

}  // namespace

void AddCheckRoutes(Router& router) {
  router.Add("POST", "/api/esc/environments/{org}/yaml/check", CheckYaml);
  router.Add("POST", "/api/esc/environments/{org}/{project}/{env}/check", Check);
  router.Add("POST", "/api/esc/environments/{org}/{project}/{env}/versions/{version}/check", Check);
}

}  // namespace escagent::devserver
