#include "tests/fakes/apiserver/dispatcher.h"

#include <utility>

#include "tests/fakes/apiserver/handlers.h"

namespace escagent::apiserver {
namespace {

// Announces the whole body and sends half of it; the connection is closed then.
void SendHalf(httplib::Response& response, Connection& connection) {
  std::string body = std::move(response.body);
  response.body.clear();
  const std::string type = response.get_header_value("Content-Type");
  response.headers.erase("Content-Type");
  const std::size_t size = body.size();
  if (size == 0) return connection.Abort();
  response.set_content_provider(
      size, type,
      [body = std::move(body), &connection](std::size_t, std::size_t, httplib::DataSink& sink) {
        sink.write(body.data(), body.size() / 2);
        connection.Abort();
        return false;
      });
}

ApiError FaultError(const Fault& fault) {
  static const std::map<int, const char*> reasons = {
      {401, "Unauthorized"},    {403, "Forbidden"},     {404, "NotFound"},
      {409, "Conflict"},        {410, "Expired"},       {422, "Invalid"},
      {429, "TooManyRequests"}, {500, "InternalError"}, {503, "ServiceUnavailable"},
      {504, "Timeout"}};
  ApiError error{.code = fault.status, .reason = "InternalError"};
  if (const auto found = reasons.find(fault.status); found != reasons.end()) {
    error.reason = found->second;
  }
  error.message = fault.message.empty() ? "fault " + std::to_string(fault.status) : fault.message;
  error.details = nlohmann::json::object();
  if (fault.retry_after) error.retry_after_seconds = static_cast<int>(fault.retry_after->count());
  return error;
}

// The name that a rule's resourceNames are held against.
std::string NameFor(const Context& context) {
  const std::string& verb = context.info.verb;
  if (verb != "list" && verb != "watch" && verb != "deletecollection") return context.info.name;
  if (context.resource == nullptr) return "";
  const auto selector =
      Selector::Parse(*context.resource, "", "", Parameter(context.http, "fieldSelector"));
  return selector ? selector->OnlyName() : std::string();
}

// Which handler a request for a resource has. METHOD_NOT_ALLOWED (405) or NOT_FOUND when none.
Done HandleSubresource(Context& context) {
  const RequestInfo& info = context.info;
  if (info.subresource == "token" && context.resource->Table() == "serviceaccounts" &&
      info.verb == "create") {
    return HandleToken(context);
  }
  if (info.subresource != "status" || !context.resource->status_subresource) {
    return Fail(NoSuchResource());
  }
  if (info.verb == "get") return HandleGet(context);
  if (info.verb == "update") return HandleUpdate(context);
  if (info.verb == "patch") return HandlePatch(context);
  return Fail(MethodNotSupported(context.resource->Name(info.name), info.verb));
}

Done HandleResource(Context& context) {
  const RequestInfo& info = context.info;
  const Resource& resource = *context.resource;
  if (!info.subresource.empty()) return HandleSubresource(context);
  const bool needs_name = info.verb == "update" || info.verb == "patch";
  if (info.verb == "create" ? !info.name.empty() : needs_name && info.name.empty()) {
    return Fail(MethodNotSupported(resource.Name(info.name), info.verb));
  }
  // Objects of a namespace are read from all of them, but written in one.
  const bool collection_read = info.verb == "list" || info.verb == "watch";
  if (resource.namespaced && info.name_space.empty() && !collection_read) {
    return Fail(MethodNotSupported(resource.Name(info.name), info.verb));
  }
  if (info.verb == "get") return HandleGet(context);
  if (info.verb == "list") return HandleList(context);
  if (info.verb == "watch") return HandleWatch(context);
  if (info.verb == "create") return HandleCreate(context);
  if (info.verb == "update") return HandleUpdate(context);
  if (info.verb == "patch") return HandlePatch(context);
  if (info.verb == "delete") return HandleDelete(context);
  if (info.verb == "deletecollection") return HandleDeleteCollection(context);
  return Fail(MethodNotSupported(resource.Name(info.name), info.verb));
}

// Kinds that are asked, not kept.
using Review = Done (*)(Context& context);
Review FindReview(const RequestInfo& info) {
  if (info.version != "v1" || !info.name.empty()) return nullptr;
  if (info.group == "authentication.k8s.io" && info.resource == "tokenreviews") {
    return HandleTokenReview;
  }
  const bool access =
      info.group == "authorization.k8s.io" && info.resource == "selfsubjectaccessreviews";
  return access ? HandleAccessReview : nullptr;
}

Done Handle(Context& context) {
  const RequestInfo& info = context.info;
  if (!info.is_resource) {
    if (context.backend.enforce_rbac && !context.backend.rbac.IsAllowed(context.user, info, "")) {
      return Fail(Rbac::Denial(context.user, info));
    }
    return HandleDiscovery(context);
  }
  context.resource = context.backend.registry.Find(info.group, info.version, info.resource);
  if (context.backend.enforce_rbac &&
      !context.backend.rbac.IsAllowed(context.user, info, NameFor(context))) {
    return Fail(Rbac::Denial(context.user, info));
  }
  if (const Review review = FindReview(info); review != nullptr) {
    if (info.verb == "create") return review(context);
    return Fail(MethodNotSupported({.group = info.group, .resource = info.resource}, info.verb));
  }
  if (context.resource == nullptr) return Fail(NoSuchResource());
  const bool own_namespace = context.resource->Table() == "namespaces";
  if (!context.resource->namespaced && !info.name_space.empty() && !own_namespace) {
    return Fail(NoSuchResource());
  }
  API_ASSIGN_OR_RETURN(context.form, NegotiateForm(context.http));
  return HandleResource(context);
}

// The one function that meets nlohmann's exceptions for objects of unexpected shapes.
void HandleOrFail(Context& context) {
  try {
    if (const auto done = Handle(context); !done) SendError(context.response, done.error());
  } catch (const nlohmann::json::exception& e) {
    SendError(context.response, InternalError(e.what()));
  }
}

// False when the fault leaves nothing to do.
bool MeetFault(Context& context) {
  const Fault& fault = context.fault;
  if (fault.delay.count() > 0) {
    Clock& clock = context.backend.clock;
    clock.SleepUntil(clock.Now() + fault.delay, context.backend.stop.get_token());
  }
  if (fault.hang) context.connection.AwaitEnd();
  if (fault.hang || fault.reset == Fault::Reset::kBefore) {
    context.connection.Abort();
    return false;
  }
  if (fault.status != 0) {
    SendError(context.response, FaultError(fault));
    return false;
  }
  return true;
}

}  // namespace

void Dispatch(Backend& backend, const httplib::Request& request, httplib::Response& response,
              Connection& connection) {
  if (request.path.starts_with("/fake/")) return HandleControl(backend, request, response);
  if (backend.faults.down()) return connection.Abort();
  Context context{.backend = backend,
                  .http = request,
                  .response = response,
                  .connection = connection,
                  .info = RequestInfo::Of(request),
                  .user = {},
                  .fault = {},
                  .resource = nullptr};
  const RequestLabel label = context.info.Label();
  if (context.info.is_resource) backend.log.Count(label);
  context.fault = backend.faults.Take(label);
  if (MeetFault(context)) {
    auto user =
        backend.authenticator.Authenticate(request.get_header_value("Authorization"), connection);
    if (user) {
      context.user = *std::move(user);
      HandleOrFail(context);
    } else {
      SendError(response, Unauthorized());
    }
    if (context.fault.reset == Fault::Reset::kAfter) connection.Abort();
    if (context.fault.reset == Fault::Reset::kMiddle) SendHalf(response, connection);
  }
  backend.log.Record({.method = request.method,
                      .path = request.target,
                      .status = connection.aborted() ? 0 : response.status,
                      .user = context.user.name});
}

}  // namespace escagent::apiserver
