#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "tests/fakes/apiserver/handlers.h"
#include "tests/fakes/apiserver/yaml_to_json.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

std::string MediaType(const httplib::Request& request) {
  const std::string header = request.get_header_value("Content-Type");
  std::string type = header.substr(0, header.find(';'));
  while (type.ends_with(' ')) type.pop_back();
  return type;
}

Outcome<json> ReadYaml(const std::string& text) {
  auto documents = YamlToJson(text, "the request's body");
  if (!documents) return Fail(BadRequest("error decoding YAML: " + documents.error().message));
  if (documents->size() != 1) return Fail(BadRequest("the body must be one YAML document"));
  return std::move(documents->front());
}

Outcome<json> ReadJson(const std::string& text) {
  auto document = ParseJson(text, "the request's body");
  if (!document) return Fail(BadRequest("error decoding: " + document.error().message));
  return *std::move(document);
}

Outcome<json> ReadBody(const httplib::Request& request) {
  const std::string type = MediaType(request);
  if (type == "application/yaml") return ReadYaml(request.body);
  // curl -d says that it sends a form; the real server refuses that.
  if (!type.empty() && type != "application/json") {
    return Fail(UnsupportedMediaType("application/json, application/yaml"));
  }
  return ReadJson(request.body);
}

// Members that must be objects are; what is not can be read without care from then on.
Done CheckShape(const json& body) {
  if (!body.is_object()) return Fail(BadRequest("the body must be an object"));
  const auto metadata = body.find("metadata");
  if (metadata == body.end() || metadata->is_null()) return {};
  if (!metadata->is_object()) return Fail(BadRequest("metadata must be an object"));
  for (const char* member : {"name", "namespace", "generateName", "uid", "resourceVersion"}) {
    const auto found = metadata->find(member);
    if (found != metadata->end() && !found->is_string() && !found->is_null()) {
      return Fail(BadRequest("json: cannot unmarshal into Go struct field ObjectMeta.metadata." +
                             std::string(member) + " of type string"));
    }
  }
  return {};
}

// nlohmann's value() refuses a null where it is asked for a string.
void DropNulls(json& body) {
  for (const char* member : {"kind", "apiVersion"}) {
    if (body.contains(member) && !body[member].is_string()) body.erase(member);
  }
  const auto metadata = body.find("metadata");
  if (metadata == body.end()) return;
  if (metadata->is_null()) {
    *metadata = json::object();
    return;
  }
  for (auto member = metadata->begin(); member != metadata->end();) {
    member = member->is_null() ? metadata->erase(member) : std::next(member);
  }
}

std::string FieldManagerOf(const httplib::Request& request) {
  const std::string manager = Parameter(request, "fieldManager");
  if (!manager.empty()) return manager;
  const std::string agent = request.get_header_value("User-Agent");
  const std::string program = agent.substr(0, agent.find('/'));
  return program.empty() ? "unknown" : program;
}

Outcome<WriteTarget> TargetOf(const Context& context) {
  if (FindParameter(context.http, "dryRun")) {
    return Fail(NotImplemented("dryRun is not implemented by this server"));
  }
  WriteTarget target{.resource = context.resource,
                     .name_space = context.resource->namespaced ? context.info.name_space : "",
                     .name = context.info.name,
                     .subresource = context.info.subresource,
                     .field_manager = FieldManagerOf(context.http)};
  if (const std::string validation = Parameter(context.http, "fieldValidation");
      !validation.empty()) {
    target.field_validation = validation;
  }
  return target;
}

void SendWritten(Context& context, const Written& written) {
  if (written.removed) {
    context.backend.remover.Collect(*context.resource, written.object);
  } else {
    context.backend.remover.CollectIfOrphan(*context.resource, written.object);
  }
  for (const std::string& warning : written.warnings) {
    context.response.headers.emplace("Warning", "299 - " + QuoteJson(warning, false));
  }
  SendObject(context, written.created ? 201 : 200, *written.object);
}

std::optional<PatchType> PatchTypeOf(const std::string& media_type) {
  if (media_type == "application/json-patch+json") return PatchType::kJson;
  if (media_type == "application/merge-patch+json") return PatchType::kMerge;
  if (media_type == "application/strategic-merge-patch+json") return PatchType::kStrategic;
  if (media_type == "application/apply-patch+yaml") return PatchType::kApply;
  return std::nullopt;
}

ApiError BadPatchOptions(const char* field, const char* reason, const char* message) {
  return Invalid({.group = "meta.k8s.io", .resource = "", .kind = "PatchOptions", .name = ""},
                 {{.reason = reason, .message = message, .field = field}});
}

Done CheckPatchOptions(const Context& context, PatchType type) {
  const bool apply = type == PatchType::kApply;
  if (apply && Parameter(context.http, "fieldManager").empty()) {
    return Fail(BadPatchOptions("fieldManager", "FieldValueRequired",
                                "Required value: is required for apply patch"));
  }
  if (!apply && FindParameter(context.http, "force")) {
    return Fail(BadPatchOptions("force", "FieldValueForbidden",
                                "Forbidden: may not be specified for non-apply patch"));
  }
  if (type == PatchType::kStrategic && context.resource->custom) {
    return Fail(
        UnsupportedMediaType("application/json-patch+json, application/merge-patch+json, "
                             "application/apply-patch+yaml"));
  }
  return {};
}

json DeletedStatus(const Resource& resource, const Object& object) {
  json details = {{"name", object.name()}, {"kind", resource.plural}, {"uid", object.uid()}};
  if (!resource.group.empty()) details["group"] = resource.group;
  return {{"kind", "Status"},
          {"apiVersion", "v1"},
          {"metadata", json::object()},
          {"status", "Success"},
          {"details", std::move(details)}};
}

Outcome<DeleteOptions> ReadDeleteOptions(const Context& context) {
  json body;
  if (!context.http.body.empty()) {
    API_ASSIGN_OR_RETURN(body, ReadBody(context.http));
    if (!body.is_object()) return Fail(BadRequest("DeleteOptions must be an object"));
  }
  return DeleteOptions::Read(body, Parameter(context.http, "propagationPolicy"));
}

}  // namespace

Done HandleCreate(Context& context) {
  API_ASSIGN_OR_RETURN(const WriteTarget target, TargetOf(context));
  API_ASSIGN_OR_RETURN(json body, ReadBody(context.http));
  API_RETURN_IF_ERROR(CheckShape(body));
  DropNulls(body);
  API_ASSIGN_OR_RETURN(const Written written,
                       context.backend.writer.Create(target, std::move(body)));
  SendWritten(context, written);
  return {};
}

Done HandleUpdate(Context& context) {
  API_ASSIGN_OR_RETURN(const WriteTarget target, TargetOf(context));
  API_ASSIGN_OR_RETURN(json body, ReadBody(context.http));
  API_RETURN_IF_ERROR(CheckShape(body));
  DropNulls(body);
  API_ASSIGN_OR_RETURN(const Written written, context.backend.writer.Replace(target, body));
  SendWritten(context, written);
  return {};
}

Done HandlePatch(Context& context) {
  const auto type = PatchTypeOf(MediaType(context.http));
  if (!type) {
    return Fail(UnsupportedMediaType(
        "application/json-patch+json, application/merge-patch+json, "
        "application/strategic-merge-patch+json, application/apply-patch+yaml"));
  }
  API_RETURN_IF_ERROR(CheckPatchOptions(context, *type));
  API_ASSIGN_OR_RETURN(const WriteTarget target, TargetOf(context));
  API_ASSIGN_OR_RETURN(json patch, *type == PatchType::kApply ? ReadYaml(context.http.body)
                                                              : ReadJson(context.http.body));
  if (*type != PatchType::kJson) API_RETURN_IF_ERROR(CheckShape(patch));
  if (*type == PatchType::kApply) DropNulls(patch);
  API_ASSIGN_OR_RETURN(
      const Written written,
      context.backend.writer.Patch(target, *type, patch, FlagParameter(context.http, "force")));
  SendWritten(context, written);
  return {};
}

Done HandleDelete(Context& context) {
  API_ASSIGN_OR_RETURN(const WriteTarget target, TargetOf(context));
  API_ASSIGN_OR_RETURN(const DeleteOptions options, ReadDeleteOptions(context));
  API_ASSIGN_OR_RETURN(const ObjectRemover::Removed removed,
                       context.backend.remover.Delete(target, options));
  if (removed.gone && context.resource->plural != "pods") {
    SendJson(context.response, 200, DeletedStatus(*context.resource, *removed.object));
  } else {
    SendObject(context, 200, *removed.object);
  }
  return {};
}

Done HandleDeleteCollection(Context& context) {
  API_ASSIGN_OR_RETURN(WriteTarget target, TargetOf(context));
  API_ASSIGN_OR_RETURN(const DeleteOptions options, ReadDeleteOptions(context));
  API_ASSIGN_OR_RETURN(const Selector selector,
                       Selector::Parse(*context.resource, target.name_space,
                                       Parameter(context.http, "labelSelector"),
                                       Parameter(context.http, "fieldSelector")));
  const Store::Snapshot found = context.backend.store.List(context.resource->Table(), selector);
  for (const ObjectPtr& object : found.objects) {
    target.name = object->name();
    const auto removed = context.backend.remover.Delete(target, options);
    if (!removed && removed.error().code != 404) return Fail(removed.error());
  }
  // The real server sends the list of what it deleted.
  return HandleList(context);
}

Done HandleToken(Context& context) {
  API_ASSIGN_OR_RETURN(const json body, ReadBody(context.http));
  API_RETURN_IF_ERROR(CheckShape(body));
  const ObjectPtr account =
      context.backend.store.Get("serviceaccounts", context.info.name_space, context.info.name);
  if (account == nullptr) return Fail(NotFoundError(context.resource->Name(context.info.name)));
  SendJson(context.response, 201, context.backend.authenticator.RequestToken(*account, body));
  return {};
}

Done HandleTokenReview(Context& context) {
  API_ASSIGN_OR_RETURN(const json body, ReadBody(context.http));
  API_RETURN_IF_ERROR(CheckShape(body));
  SendJson(context.response, 201, context.backend.authenticator.ReviewToken(body));
  return {};
}

Done HandleAccessReview(Context& context) {
  API_ASSIGN_OR_RETURN(json body, ReadBody(context.http));
  API_RETURN_IF_ERROR(CheckShape(body));
  const json asked = body.value("spec", json::object()).value("resourceAttributes", json::object());
  RequestInfo about;
  about.is_resource = true;
  about.verb = asked.value("verb", "");
  about.group = asked.value("group", "");
  about.version = asked.value("version", "");
  about.resource = asked.value("resource", "");
  about.subresource = asked.value("subresource", "");
  about.name_space = asked.value("namespace", "");
  about.name = asked.value("name", "");
  const bool allowed = !context.backend.enforce_rbac ||
                       context.backend.rbac.IsAllowed(context.user, about, about.name);
  body["kind"] = "SelfSubjectAccessReview";
  body["apiVersion"] = "authorization.k8s.io/v1";
  body["status"] = {{"allowed", allowed}};
  SendJson(context.response, 201, body);
  return {};
}

}  // namespace escagent::apiserver
