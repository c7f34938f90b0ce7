#include <utility>
#include <vector>

#include "base/json.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"

namespace escagent::devserver {
namespace {

void GetRequests(Backend& backend, const Request&, httplib::Response& response) {
  SendJson(response, 200, backend.counters.ToJson());
}

void ResetRequests(Backend& backend, const Request&, httplib::Response& response) {
  backend.counters.Reset();
  response.status = 204;
}

void GetFaults(Backend& backend, const Request&, httplib::Response& response) {
  SendJson(response, 200, backend.faults.ToJson());
}

void ClearFaults(Backend& backend, const Request&, httplib::Response& response) {
  backend.faults.Clear();
  response.status = 204;
}

void AddFaultsTo(Backend& backend, const Request& request, bool replace,
                 httplib::Response& response) {
  const auto document = ParseJson(request.http.body, "faults");
  if (!document) return SendError(response, document.error());
  auto faults = Faults::FromJson(*document);
  if (!faults) return SendError(response, faults.error());
  if (replace) backend.faults.Clear();
  for (Fault& fault : *faults) backend.faults.Add(std::move(fault));
  SendJson(response, 200, backend.faults.ToJson());
}

void AddFaults(Backend& backend, const Request& request, httplib::Response& response) {
  AddFaultsTo(backend, request, /*replace=*/false, response);
}

void SetFaults(Backend& backend, const Request& request, httplib::Response& response) {
  AddFaultsTo(backend, request, /*replace=*/true, response);
}

void GetTokens(Backend& backend, const Request&, httplib::Response& response) {
  SendJson(response, 200, backend.tokens.ToJson());
}

// ?login= and ?id= choose; without them all.
void RevokeTokens(Backend& backend, const Request& request, httplib::Response& response) {
  const auto revoked = backend.tokens.Revoke(request.Parameter("login"), request.Parameter("id"));
  if (!revoked) return SendError(response, revoked.error());
  SendJson(response, 200, {{"revoked", *revoked}});
}

}  // namespace

void AddDebugRoutes(Router& router) {
  router.Add("GET", "/debug/requests", GetRequests);
  router.Add("DELETE", "/debug/requests", ResetRequests);
  router.Add("POST", "/debug/requests/reset", ResetRequests);
  router.Add("GET", "/debug/faults", GetFaults);
  router.Add("POST", "/debug/faults", AddFaults);
  router.Add("PUT", "/debug/faults", SetFaults);
  router.Add("DELETE", "/debug/faults", ClearFaults);
  router.Add("GET", "/debug/tokens", GetTokens);
  router.Add("DELETE", "/debug/tokens", RevokeTokens);
}

}  // namespace escagent::devserver
