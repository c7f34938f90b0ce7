#pragma once

#include <httplib.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/backend.h"
#include "tests/fakes/apiserver/connection.h"
#include "tests/fakes/apiserver/request_info.h"
#include "tests/fakes/apiserver/resource.h"

namespace escagent::apiserver {

// What a client wants objects as.
enum class Form { kWhole, kPartialMetadata };

// A request on its way to its handler.
struct Context {
  Backend& backend;
  const httplib::Request& http;
  httplib::Response& response;
  Connection& connection;
  RequestInfo info;
  User user;
  Fault fault;
  // Of requests for a resource.
  ResourcePtr resource;
  Form form = Form::kWhole;
};

void SendJson(httplib::Response& response, int status, const nlohmann::json& document);
void SendText(httplib::Response& response, int status, std::string json);
void SendError(httplib::Response& response, const ApiError& error);
void SendObject(Context& context, int status, const Object& object);

// For a resourceVersion in the query that is none.
ApiError BadRevision(const std::string& text);

// By the Accept header. 406 when the client takes nothing that the server can write.
Outcome<Form> NegotiateForm(const httplib::Request& request);

// Each sends the answer, or returns the error to send.
Done HandleGet(Context& context);
Done HandleList(Context& context);
Done HandleWatch(Context& context);
Done HandleCreate(Context& context);
Done HandleUpdate(Context& context);
Done HandlePatch(Context& context);
Done HandleDelete(Context& context);
Done HandleDeleteCollection(Context& context);
Done HandleToken(Context& context);         // POST serviceaccounts/{name}/token
Done HandleTokenReview(Context& context);   // POST tokenreviews
Done HandleAccessReview(Context& context);  // POST selfsubjectaccessreviews

// /version, /healthz, /api, /apis, and below them the lists of resources. 404 for other paths.
Done HandleDiscovery(Context& context);

// /fake/..., see ApiServer.
void HandleControl(Backend& backend, const httplib::Request& request, httplib::Response& response);

}  // namespace escagent::apiserver
