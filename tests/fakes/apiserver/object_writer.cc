#include "tests/fakes/apiserver/object_writer.h"

#include <utility>

#include "base/json.h"
#include "tests/fakes/apiserver/builtin_rules.h"
#include "tests/fakes/apiserver/object_checks.h"
#include "tests/fakes/apiserver/object_meta.h"
#include "tests/fakes/apiserver/patch.h"
#include "tests/fakes/apiserver/schema_rules.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

// How often a write without a resourceVersion is tried anew when others were faster.
constexpr int kMaxTries = 100;

}  // namespace

Outcome<json> ObjectWriter::Clean(const WriteTarget& target, json body,
                                  std::vector<std::string>& warnings) const {
  const Resource& resource = *target.resource;
  API_RETURN_IF_ERROR(CheckIdentity(target, body));
  std::vector<std::string> unknown;
  PruneUnknown(*resource.schema, body, "", unknown);
  if (!unknown.empty() && target.field_validation == "Strict") {
    std::string all;
    for (const std::string& path : unknown) {
      all += (all.empty() ? "" : ", ") + ("unknown field \"" + path + "\"");
    }
    return Fail(BadRequest(resource.kind + " in version \"" + resource.version +
                           "\" cannot be handled as a " + resource.kind +
                           ": strict decoding error: " + all));
  }
  if (target.field_validation == "Warn") {
    for (const std::string& path : unknown) warnings.push_back("unknown field \"" + path + "\"");
  }
  json& metadata = body["metadata"];
  if (!metadata.is_object()) metadata = json::object();
  if (resource.namespaced) {
    metadata["namespace"] = target.name_space;
  } else {
    metadata.erase("namespace");
  }
  ApplyDefaults(*resource.schema, body);
  if (!resource.custom) API_RETURN_IF_ERROR(PrepareBuiltin(resource, body));
  return body;
}

Done ObjectWriter::CheckNew(const WriteTarget& target, const json& body) const {
  const json metadata = body.value("metadata", json::object());
  if (!metadata.value("resourceVersion", "").empty()) {
    // The real server's answer, too.
    return Fail(InternalError("resourceVersion should not be set on objects to be created"));
  }
  if (!target.resource->namespaced) return {};
  const ObjectPtr name_space = store_.Get("namespaces", "", target.name_space);
  if (name_space == nullptr) {
    return Fail(NotFoundError(
        {.group = "", .resource = "namespaces", .kind = "Namespace", .name = target.name_space}));
  }
  if (name_space->deleting()) {
    return Fail(Forbidden(target.resource->Name(metadata.value("name", "")),
                          "unable to create new content in namespace " + target.name_space +
                              " because it is being terminated"));
  }
  return {};
}

Outcome<ObjectPtr> ObjectWriter::Insert(const WriteTarget& target, const json& object) {
  const std::string table = target.resource->Table();
  const auto fresh = Object::Make(*target.resource, object, 0);
  ObjectPtr stored = store_.Put(table, nullptr, *fresh);
  if (stored == nullptr) return Fail(AlreadyExists(target.resource->Name(fresh->name())));
  return stored;
}

Outcome<Written> ObjectWriter::Create(const WriteTarget& target, json body) {
  Written written{.object = nullptr, .created = true, .removed = false, .warnings = {}};
  const Resource& resource = *target.resource;
  API_RETURN_IF_ERROR(CheckIdentity(target, body));
  API_RETURN_IF_ERROR(CheckNew(target, body));
  json& metadata = body["metadata"];
  if (metadata.value("name", "").empty() && !metadata.value("generateName", "").empty()) {
    metadata["name"] = metadata.value("generateName", "") + MakeNameSuffix();
  }
  API_ASSIGN_OR_RETURN(json object, Clean(target, std::move(body), written.warnings));
  SetInitialStatus(resource, object);
  StampNew(resource, object["metadata"]);
  object["metadata"].erase("managedFields");
  API_RETURN_IF_ERROR(CheckObject(resource, nullptr, object));
  ManagedFields managed;
  managed.Update(*resource.schema,
                 {.name = target.field_manager,
                  .apply = false,
                  .api_version = resource.ApiVersion(),
                  .subresource = ""},
                 json::object(), object);
  managed.Write(object);
  API_RETURN_IF_ERROR(Register(resource, object));
  object["apiVersion"] = resource.StorageApiVersion();
  API_ASSIGN_OR_RETURN(written.object, Insert(target, object));
  return written;
}

Outcome<json> ObjectWriter::MakeNext(const WriteTarget& target, const json& current,
                                     json next) const {
  const Resource& resource = *target.resource;
  if (target.subresource == "status") {
    json merged = current;
    if (next.contains("status")) {
      merged["status"] = next["status"];
    } else {
      merged.erase("status");
    }
    next = std::move(merged);
  } else if (resource.status_subresource) {
    if (current.contains("status")) {
      next["status"] = current["status"];
    } else {
      next.erase("status");
    }
  }
  CarryOver(current["metadata"], next["metadata"]);
  if (HasGeneration(resource) && target.subresource.empty()) {
    if (!SameBut(current, next, {"metadata", "status", "apiVersion", "kind"})) {
      next["metadata"]["generation"] = current["metadata"].value("generation", 0) + 1;
    }
  }
  API_RETURN_IF_ERROR(CheckObject(resource, &current, next));
  return next;
}

Outcome<Written> ObjectWriter::Modify(const WriteTarget& target, bool applied,
                                      const Change& change) {
  const Resource& resource = *target.resource;
  const std::string table = resource.Table();
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const ObjectPtr before = store_.Get(table, target.name_space, target.name);
    if (before == nullptr) return Fail(NotFoundError(resource.Name(target.name)));
    Written written{.object = before, .created = false, .removed = false, .warnings = {}};
    json current = before->Parse();
    current["apiVersion"] = resource.ApiVersion();
    ManagedFields managed = ManagedFields::Read(current);
    API_ASSIGN_OR_RETURN(json changed, change(current, managed));
    API_ASSIGN_OR_RETURN(changed, Clean(target, std::move(changed), written.warnings));
    API_ASSIGN_OR_RETURN(json next, MakeNext(target, current, std::move(changed)));
    if (!applied) {
      managed.Update(*resource.schema,
                     {.name = target.field_manager,
                      .apply = false,
                      .api_version = resource.ApiVersion(),
                      .subresource = target.subresource},
                     current, next);
    }
    managed.Write(next);
    const bool owners_changed =
        applied && next["metadata"]["managedFields"] != current["metadata"]["managedFields"];
    if (IsSame(current, next) && !owners_changed) return written;
    API_RETURN_IF_ERROR(Register(resource, next));
    next["apiVersion"] = resource.StorageApiVersion();
    const auto fresh = Object::Make(resource, next, 0);
    const bool last_finalizer_gone = fresh->deleting() && !fresh->has_finalizers();
    const ObjectPtr after =
        last_finalizer_gone ? store_.Remove(table, before) : store_.Put(table, before, *fresh);
    if (after == nullptr) continue;
    written.object = after;
    written.removed = last_finalizer_gone;
    return written;
  }
  return Fail(Modified(resource.Name(target.name)));
}

Outcome<Written> ObjectWriter::Replace(const WriteTarget& target, const json& body) {
  API_RETURN_IF_ERROR(CheckIdentity(target, body));
  // Events and Leases may be made by PUT.
  const bool creates = target.resource->plural == "leases" || target.resource->plural == "events";
  if (creates && store_.Get(target.resource->Table(), target.name_space, target.name) == nullptr) {
    return Create(target, body);
  }
  return Modify(target, /*applied=*/false,
                [&](const json& current, ManagedFields&) -> Outcome<json> {
                  json next = body;
                  if (!next["metadata"].is_object()) next["metadata"] = json::object();
                  API_RETURN_IF_ERROR(CheckPreconditions(target, current, next, /*replace=*/true));
                  return next;
                });
}

Outcome<Written> ObjectWriter::CreateApplied(const WriteTarget& target, const json& config) {
  const Resource& resource = *target.resource;
  Written written{.object = nullptr, .created = true, .removed = false, .warnings = {}};
  const std::string uid = config["metadata"].value("uid", "");
  if (!uid.empty()) {
    return Fail(
        Conflict(resource.Name(target.name), "uid mismatch: the provided object specified uid " +
                                                 uid + ", and no existing object was found"));
  }
  API_RETURN_IF_ERROR(CheckNew(target, config));
  ManagedFields managed;
  API_ASSIGN_OR_RETURN(json object, managed.Apply(*resource.schema,
                                                  {.name = target.field_manager,
                                                   .apply = true,
                                                   .api_version = resource.ApiVersion(),
                                                   .subresource = target.subresource},
                                                  json::object(), config, true));
  API_ASSIGN_OR_RETURN(object, Clean(target, std::move(object), written.warnings));
  SetInitialStatus(resource, object);
  object["metadata"]["name"] = target.name;
  StampNew(resource, object["metadata"]);
  API_RETURN_IF_ERROR(CheckObject(resource, nullptr, object));
  managed.Write(object);
  API_RETURN_IF_ERROR(Register(resource, object));
  object["apiVersion"] = resource.StorageApiVersion();
  API_ASSIGN_OR_RETURN(written.object, Insert(target, object));
  return written;
}

Outcome<Written> ObjectWriter::Patch(const WriteTarget& target, PatchType type, const json& patch,
                                     bool force) {
  const Resource& resource = *target.resource;
  if (type == PatchType::kApply) {
    API_RETURN_IF_ERROR(CheckIdentity(target, patch));
    json config = patch;
    if (!config["metadata"].is_object()) config["metadata"] = json::object();
    if (config["metadata"].contains("managedFields")) {
      return Fail(BadRequest("metadata.managedFields must be nil"));
    }
    if (target.subresource.empty() &&
        store_.Get(resource.Table(), target.name_space, target.name) == nullptr) {
      auto created = CreateApplied(target, config);
      // Somebody else made it in between: then it is applied to that.
      if (created || created.error().reason != "AlreadyExists") return created;
    }
    return Modify(
        target, /*applied=*/true,
        [&](const json& current, ManagedFields& managed) -> Outcome<json> {
          API_RETURN_IF_ERROR(CheckPreconditions(target, current, config, /*replace=*/false));
          json fields = config;
          // The other half is not this request's to set.
          if (target.subresource.empty() && resource.status_subresource) {
            fields.erase("status");
          }
          return managed.Apply(*resource.schema,
                               {.name = target.field_manager,
                                .apply = true,
                                .api_version = resource.ApiVersion(),
                                .subresource = target.subresource},
                               current, fields, force);
        });
  }
  return Modify(
      target, /*applied=*/false, [&](const json& current, ManagedFields&) -> Outcome<json> {
        json next;
        if (type == PatchType::kJson) {
          API_ASSIGN_OR_RETURN(next, JsonPatch(current, patch));
        } else if (type == PatchType::kMerge) {
          next = MergePatch(current, patch);
        } else {
          API_ASSIGN_OR_RETURN(next, StrategicMergePatch(current, patch, *resource.schema));
        }
        API_RETURN_IF_ERROR(CheckIdentity(target, next));
        if (!next.contains("metadata")) next["metadata"] = json::object();
        API_RETURN_IF_ERROR(CheckPreconditions(target, current, next, /*replace=*/false));
        return next;
      });
}

void ObjectWriter::Adjust(const std::string& table, const ObjectPtr& object,
                          const std::function<void(json&)>& change) {
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const ObjectPtr before = store_.Get(table, object->name_space(), object->name());
    if (before == nullptr || before->uid() != object->uid()) return;
    json document = before->Parse();
    const ResourcePtr resource =
        registry_.FindKind(document.value("apiVersion", ""), document.value("kind", ""));
    if (resource == nullptr) return;
    change(document);
    const auto fresh = Object::Make(*resource, document, 0);
    const bool gone = fresh->deleting() && !fresh->has_finalizers();
    if ((gone ? store_.Remove(table, before) : store_.Put(table, before, *fresh)) != nullptr) {
      return;
    }
  }
}

Done ObjectWriter::Register(const Resource& resource, const json& object) {
  if (resource.plural != "customresourcedefinitions") return {};
  if (auto added = registry_.AddCrd(object); !added) {
    return Fail(Invalid(
        resource.Name(object["metadata"].value("name", "")),
        {{.reason = "FieldValueInvalid", .message = added.error().message, .field = "spec"}}));
  }
  return {};
}

}  // namespace escagent::apiserver
