#include "tests/fakes/apiserver/object_checks.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/fakes/apiserver/builtin_rules.h"
#include "tests/fakes/apiserver/object_meta.h"
#include "tests/fakes/apiserver/schema_rules.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;
using Names = std::initializer_list<std::string_view>;

// A type error of a built-in kind is one of decoding; of a custom one it is a cause of 422.
Done CheckSchema(const Resource& resource, const json& object, std::vector<FieldCause>& causes) {
  std::vector<FieldCause> found;
  Validate(*resource.schema, object, "", found);
  if (!resource.custom && !found.empty()) {
    return Fail(BadRequest(resource.kind + " in version \"" + resource.version +
                           "\" cannot be handled as a " + resource.kind + ": " + found[0].field +
                           ": " + found[0].message));
  }
  causes.insert(causes.end(), found.begin(), found.end());
  return {};
}

bool IsAmong(const std::string& name, Names names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool NeedsResourceVersion(const Resource& resource) {
  return resource.custom || resource.plural == "leases" || resource.group == "apiextensions.k8s.io";
}

}  // namespace

Done CheckIdentity(const WriteTarget& target, const json& body) {
  const Resource& resource = *target.resource;
  if (!body.is_object()) return Fail(BadRequest("the object provided is not an object"));
  const std::string kind = body.value("kind", "");
  const std::string version = body.value("apiVersion", "");
  if (kind.empty()) return Fail(BadRequest("Object 'Kind' is missing in the body"));
  if (version != resource.ApiVersion()) {
    return Fail(BadRequest("the API version in the data (" + version +
                           ") does not match the expected API version (" + resource.ApiVersion() +
                           ")"));
  }
  if (kind != resource.kind) {
    return Fail(BadRequest("the kind in the data (" + kind +
                           ") does not match the expected kind (" + resource.kind + ")"));
  }
  const auto metadata = body.find("metadata");
  if (metadata != body.end() && !metadata->is_object()) {
    return Fail(BadRequest("metadata is not an object"));
  }
  const json meta = metadata == body.end() ? json::object() : *metadata;
  const std::string name_space = meta.value("namespace", "");
  if (!name_space.empty() && name_space != target.name_space) {
    return Fail(
        BadRequest("the namespace of the provided object does not match the namespace sent "
                   "on the request"));
  }
  const std::string name = meta.value("name", "");
  if (!target.name.empty() && !name.empty() && name != target.name) {
    return Fail(BadRequest("the name of the object (" + name +
                           ") does not match the name on the URL (" + target.name + ")"));
  }
  return {};
}

Done CheckObject(const Resource& resource, const json* before, const json& object) {
  std::vector<FieldCause> causes;
  CheckMeta(resource, object["metadata"], causes);
  if (before != nullptr) CheckFinalizers((*before)["metadata"], object["metadata"], causes);
  API_RETURN_IF_ERROR(CheckSchema(resource, object, causes));
  ValidateBuiltin(resource, before, object, causes);
  if (causes.empty()) return {};
  return Fail(Invalid(resource.Name(object["metadata"].value("name", "")), causes));
}

Done CheckPreconditions(const WriteTarget& target, const json& current, const json& next,
                        bool replace) {
  const ObjectName name = target.resource->Name(target.name);
  const json& metadata = next["metadata"];
  const std::string revision = metadata.value("resourceVersion", "");
  const std::string& now = current["metadata"]["resourceVersion"].get_ref<const std::string&>();
  if (revision.empty() && replace && NeedsResourceVersion(*target.resource)) {
    return Fail(Invalid(name, {{.reason = "FieldValueInvalid",
                                .message = "Invalid value: 0x0: must be specified for an update",
                                .field = "metadata.resourceVersion"}}));
  }
  if (!revision.empty() && revision != "0" && revision != now) return Fail(Modified(name));
  const std::string uid = metadata.value("uid", "");
  const std::string& own = current["metadata"]["uid"].get_ref<const std::string&>();
  if (!uid.empty() && uid != own) {
    return Fail(Conflict(
        name, "Precondition failed: UID in precondition: " + uid + ", UID in object meta: " + own));
  }
  return {};
}

bool SameBut(const json& a, const json& b, Names names) {
  const auto covers = [&](const json& part, const json& whole) {
    for (const auto& [name, value] : part.items()) {
      if (IsAmong(name, names)) continue;
      const auto found = whole.find(name);
      if (found == whole.end() || *found != value) return false;
    }
    return true;
  };
  return covers(a, b) && covers(b, a);
}

bool IsSame(const json& before, const json& after) {
  return SameBut(before, after, {"metadata"}) &&
         SameBut(before["metadata"], after["metadata"], {"managedFields", "resourceVersion"});
}

}  // namespace escagent::apiserver
