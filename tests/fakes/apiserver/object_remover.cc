#include "tests/fakes/apiserver/object_remover.h"

#include <algorithm>
#include <utility>

#include "tests/fakes/apiserver/object_meta.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr int kMaxRemovals = 100;

Done CheckPreconditions(const Resource& resource, const Object& object,
                        const DeleteOptions& options) {
  const ObjectName name = resource.Name(object.name());
  if (!options.uid.empty() && options.uid != object.uid()) {
    return Fail(Conflict(name, "Precondition failed: UID in precondition: " + options.uid +
                                   ", UID in object meta: " + object.uid()));
  }
  const std::string revision = std::to_string(object.revision());
  if (!options.resource_version.empty() && options.resource_version != revision) {
    return Fail(Conflict(
        name, "Precondition failed: ResourceVersion in precondition: " + options.resource_version +
                  ", ResourceVersion in object meta: " + revision));
  }
  return {};
}

void Mark(json& document, std::string_view finalizer) {
  json& metadata = document["metadata"];
  if (!metadata.contains("deletionTimestamp")) {
    metadata["deletionTimestamp"] = Timestamp();
    metadata["deletionGracePeriodSeconds"] = 0;
    if (metadata.contains("generation")) {
      metadata["generation"] = metadata["generation"].get<std::int64_t>() + 1;
    }
  }
  if (finalizer.empty()) return;
  json& finalizers = metadata["finalizers"];
  if (!finalizers.is_array()) finalizers = json::array();
  if (std::find(finalizers.begin(), finalizers.end(), finalizer) == finalizers.end()) {
    finalizers.push_back(finalizer);
  }
}

// A namespace is held by spec.finalizers, which the namespace controller takes away.
bool IsHeldNamespace(const Resource& resource) {
  return resource.group.empty() && resource.plural == "namespaces";
}

}  // namespace

Outcome<DeleteOptions> DeleteOptions::Read(const json& body, const std::string& propagation) {
  DeleteOptions options;
  options.propagation = propagation;
  if (body.is_object()) {
    const json preconditions = body.value("preconditions", json::object());
    if (preconditions.is_object()) {
      options.uid = preconditions.value("uid", "");
      options.resource_version = preconditions.value("resourceVersion", "");
    }
    if (options.propagation.empty()) options.propagation = body.value("propagationPolicy", "");
    if (!body.value("dryRun", json::array()).empty()) {
      return Fail(NotImplemented("dryRun is not implemented by this server"));
    }
  }
  for (const char* known : {"", "Background", "Foreground", "Orphan"}) {
    if (options.propagation == known) return options;
  }
  return Fail(Invalid(
      {.group = "meta.k8s.io", .resource = "", .kind = "DeleteOptions", .name = ""},
      {{.reason = "FieldValueNotSupported",
        .message = "Unsupported value: \"" + options.propagation +
                   "\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
        .field = "propagationPolicy"}}));
}

Outcome<ObjectRemover::Removed> ObjectRemover::Delete(const WriteTarget& target,
                                                      const DeleteOptions& options) {
  const Resource& resource = *target.resource;
  for (int tries = 0; tries < kMaxRemovals; ++tries) {
    const ObjectPtr before = store_.Get(resource.Table(), target.name_space, target.name);
    if (before == nullptr) return Fail(NotFoundError(resource.Name(target.name)));
    API_RETURN_IF_ERROR(CheckPreconditions(resource, *before, options));
    std::string_view finalizer;
    if (!controllers_ && options.propagation == "Foreground") finalizer = "foregroundDeletion";
    if (!controllers_ && options.propagation == "Orphan") finalizer = "orphan";
    const bool held = IsHeldNamespace(resource) && !controllers_;
    if (before->has_finalizers() || !finalizer.empty() || held) {
      return MarkDeleted(target, before, finalizer);
    }
    if (controllers_ && options.propagation == "Foreground") {
      CollectDependents(before->uid(), /*orphan=*/false);
    } else if (controllers_ && options.propagation == "Orphan") {
      CollectDependents(before->uid(), /*orphan=*/true);
    }
    ObjectPtr gone = store_.Remove(resource.Table(), before);
    if (gone == nullptr) continue;
    Collect(resource, gone);
    return Removed{.object = std::move(gone), .gone = true};
  }
  return Fail(Modified(resource.Name(target.name)));
}

Outcome<ObjectRemover::Removed> ObjectRemover::MarkDeleted(const WriteTarget& target,
                                                           const ObjectPtr& before,
                                                           std::string_view finalizer) {
  const Resource& resource = *target.resource;
  if (!before->deleting()) {
    writer_.Adjust(resource.Table(), before, [&](json& document) {
      Mark(document, finalizer);
      if (IsHeldNamespace(resource)) document["status"]["phase"] = "Terminating";
    });
  }
  ObjectPtr now = store_.Get(resource.Table(), target.name_space, target.name);
  if (now == nullptr) return Removed{.object = before, .gone = true};
  return Removed{.object = std::move(now), .gone = false};
}

void ObjectRemover::Collect(const Resource& resource, const ObjectPtr& gone) {
  if (resource.plural == "customresourcedefinitions") {
    const json crd = gone->Parse();
    const json spec = crd.value("spec", json::object());
    registry_.RemoveCrd(crd);
    store_.DropTable(spec.value("names", json::object()).value("plural", "") + "." +
                     spec.value("group", ""));
  }
  if (!controllers_) return;
  if (IsHeldNamespace(resource)) {
    for (const auto& [table, object] : store_.InNamespace(gone->name())) DeleteNow(table, object);
  }
  CollectDependents(gone->uid(), /*orphan=*/false);
}

void ObjectRemover::CollectDependents(const std::string& uid, bool orphan) {
  for (const auto& [table, object] : store_.OwnedBy(uid)) {
    const bool others =
        std::any_of(object->owners().begin(), object->owners().end(),
                    [&](const std::string& owner) { return owner != uid && store_.HasUid(owner); });
    if (orphan || others) {
      Disown(table, object, uid);
    } else {
      DeleteNow(table, object);
    }
  }
}

void ObjectRemover::CollectIfOrphan(const Resource& resource, const ObjectPtr& object) {
  if (!controllers_ || object->owners().empty()) return;
  for (const std::string& owner : object->owners()) {
    if (store_.HasUid(owner)) return;
  }
  DeleteNow(resource.Table(), object);
}

void ObjectRemover::DeleteNow(const std::string& table, const ObjectPtr& object) {
  for (int tries = 0; tries < kMaxRemovals; ++tries) {
    const ObjectPtr now = store_.Get(table, object->name_space(), object->name());
    if (now == nullptr || now->uid() != object->uid()) return;
    if (now->has_finalizers()) {
      if (!now->deleting()) {
        writer_.Adjust(table, now, [](json& document) { Mark(document, ""); });
      }
      return;
    }
    if (store_.Remove(table, now) == nullptr) continue;
    CollectDependents(now->uid(), /*orphan=*/false);
    return;
  }
}

void ObjectRemover::Disown(const std::string& table, const ObjectPtr& object,
                           const std::string& uid) {
  writer_.Adjust(table, object, [&](json& document) {
    json kept = json::array();
    for (const json& owner : document["metadata"].value("ownerReferences", json::array())) {
      if (owner.value("uid", "") != uid) kept.push_back(owner);
    }
    if (kept.empty()) {
      document["metadata"].erase("ownerReferences");
    } else {
      document["metadata"]["ownerReferences"] = std::move(kept);
    }
  });
}

}  // namespace escagent::apiserver
