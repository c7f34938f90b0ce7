#include "tests/fakes/apiserver/api_status.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

json Details(const ObjectName& object) {
  json details = json::object();
  if (!object.name.empty()) details["name"] = object.name;
  if (!object.group.empty()) details["group"] = object.group;
  if (!object.resource.empty()) details["kind"] = object.resource;
  return details;
}

ApiError About(const ObjectName& object, int code, std::string reason, std::string message) {
  return ApiError{.code = code,
                  .reason = std::move(reason),
                  .message = std::move(message),
                  .details = Details(object)};
}

ApiError Plain(int code, std::string reason, std::string message) {
  return ApiError{.code = code, .reason = std::move(reason), .message = std::move(message)};
}

std::string Quoted(const ObjectName& object) {
  return object.Qualified() + " \"" + object.name + "\"";
}

}  // namespace

std::string ObjectName::Qualified() const {
  return group.empty() ? resource : resource + "." + group;
}

json ApiError::ToJson() const {
  json status = {{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", json::object()},
                 {"status", "Failure"}, {"message", message}, {"reason", reason},
                 {"code", code}};
  if (!continue_token.empty()) status["metadata"]["continue"] = continue_token;
  if (details.is_object()) status["details"] = details;
  if (retry_after_seconds > 0) status["details"]["retryAfterSeconds"] = retry_after_seconds;
  return status;
}

ApiError BadRequest(std::string message) { return Plain(400, "BadRequest", std::move(message)); }

ApiError Unauthorized() { return Plain(401, "Unauthorized", "Unauthorized"); }

ApiError Forbidden(const ObjectName& object, const std::string& cause) {
  const std::string what = object.name.empty() ? object.Qualified() : Quoted(object);
  return About(object, 403, "Forbidden", what + " is forbidden: " + cause);
}

ApiError NotFoundError(const ObjectName& object) {
  return About(object, 404, "NotFound", Quoted(object) + " not found");
}

ApiError NoSuchResource() {
  ApiError error = Plain(404, "NotFound", "the server could not find the requested resource");
  error.details = json::object();
  return error;
}

ApiError AlreadyExists(const ObjectName& object) {
  return About(object, 409, "AlreadyExists", Quoted(object) + " already exists");
}

ApiError Conflict(const ObjectName& object, const std::string& cause) {
  return About(object, 409, "Conflict",
               "Operation cannot be fulfilled on " + Quoted(object) + ": " + cause);
}

ApiError Modified(const ObjectName& object) {
  return Conflict(object,
                  "the object has been modified; please apply your changes to the latest version "
                  "and try again");
}

ApiError Invalid(const ObjectName& object, const std::vector<FieldCause>& causes) {
  const std::string kind = object.group.empty() ? object.kind : object.kind + "." + object.group;
  std::string all;
  json list = json::array();
  for (const FieldCause& cause : causes) {
    if (!all.empty()) all += ", ";
    all += cause.field + ": " + cause.message;
    list.push_back({{"reason", cause.reason}, {"message", cause.message}, {"field", cause.field}});
  }
  if (causes.size() > 1) all = "[" + all + "]";
  ApiError error =
      About(object, 422, "Invalid", kind + " \"" + object.name + "\" is invalid: " + all);
  error.details["kind"] = object.kind;
  error.details["causes"] = std::move(list);
  return error;
}

ApiError Expired(std::string message) { return Plain(410, "Expired", std::move(message)); }

ApiError MethodNotSupported(const ObjectName& object, const std::string& verb) {
  return About(object, 405, "MethodNotAllowed",
               verb + " is not supported on resources of kind \"" + object.Qualified() + "\"");
}

ApiError UnsupportedMediaType(std::string_view accepted) {
  return Plain(415, "UnsupportedMediaType",
               "the body of the request was in an unknown format - accepted media types include: " +
                   std::string(accepted));
}

ApiError NotAcceptable() {
  return Plain(406, "NotAcceptable",
               "only the following media types are accepted: application/json, "
               "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
}

ApiError TooLarge(std::string message) {
  return Plain(413, "RequestEntityTooLarge", std::move(message));
}

ApiError InternalError(const std::string& cause) {
  ApiError error = Plain(500, "InternalError", "Internal error occurred: " + cause);
  error.details = {{"causes", {{{"message", cause}}}}};
  return error;
}

ApiError NotImplemented(std::string message) {
  return Plain(501, "NotImplemented", std::move(message));
}

}  // namespace escagent::apiserver
