#include <utility>
#include <vector>

#include "base/json.h"
#include "tests/fakes/apiserver/handlers.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

void SendControlError(httplib::Response& response, const std::string& message) {
  SendError(response, BadRequest(message));
}

void Empty(httplib::Response& response) { response.status = 204; }

void HandleFaults(Backend& backend, const httplib::Request& request, httplib::Response& response) {
  if (request.method == "DELETE") {
    backend.faults.Clear();
    return Empty(response);
  }
  if (request.method == "POST" || request.method == "PUT") {
    const auto document = ParseJson(request.body, "faults");
    if (!document) return SendControlError(response, document.error().message);
    auto faults = Faults::FromJson(*document);
    if (!faults) return SendControlError(response, faults.error().message);
    if (request.method == "PUT") backend.faults.Clear();
    for (Fault& fault : *faults) backend.faults.Add(std::move(fault));
  }
  SendJson(response, 200, backend.faults.ToJson());
}

void HandleCounters(Backend& backend, const httplib::Request& request,
                    httplib::Response& response) {
  if (request.method == "DELETE") {
    backend.log.Reset();
    return Empty(response);
  }
  SendJson(response, 200, backend.log.ToJson());
}

}  // namespace

void HandleControl(Backend& backend, const httplib::Request& request, httplib::Response& response) {
  const std::string& path = request.path;
  const bool post = request.method == "POST";
  const std::string table = Parameter(request, "resource");
  if (path == "/fake/faults") {
    HandleFaults(backend, request, response);
  } else if (path == "/fake/counters") {
    HandleCounters(backend, request, response);
  } else if (path == "/fake/requests" && request.method == "GET") {
    SendJson(response, 200, backend.log.EntriesToJson());
  } else if (path == "/fake/watches" && request.method == "GET") {
    SendJson(response, 200, {{"watches", backend.store.Watches()}});
  } else if (path == "/fake/watches/cut" && post) {
    backend.store.EndWatches(table, Store::End::kCut);
    Empty(response);
  } else if (path == "/fake/watches/expire" && post) {
    backend.store.EndWatches(table, Store::End::kExpired);
    Empty(response);
  } else if (path == "/fake/compact" && post) {
    backend.store.Compact();
    Empty(response);
  } else if ((path == "/fake/down" || path == "/fake/up") && post) {
    backend.faults.SetDown(path == "/fake/down");
    Empty(response);
  } else {
    SendError(response, NoSuchResource());
  }
}

}  // namespace escagent::apiserver
