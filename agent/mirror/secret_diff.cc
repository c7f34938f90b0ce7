#include "agent/mirror/secret_diff.h"

#include <optional>
#include <utility>

#include "agent/mirror/data_hash.h"
#include "agent/mirror/secret_state.h"

namespace escagent::mirror {
namespace {

SecretAction Refuse(RefusalReason reason, std::string message) {
  SecretAction action;
  action.kind = SecretAction::Kind::kRefuse;
  action.reason = reason;
  action.error = {.code = Code::kFailedPrecondition, .message = std::move(message)};
  return action;
}

std::string TypeOf(const ExistingSecret& existing) {
  return existing.type.empty() ? "Opaque" : existing.type;
}

// Why another's Secret is left alone, if so.
std::optional<SecretAction> CheckOwner(const ExternalSecret& object,
                                       const ExistingSecret& existing) {
  const OwnerReference* controller = existing.Controller();
  if (controller == nullptr || IsReferenceTo(*controller, object)) return std::nullopt;
  // Two of them would overwrite each other for ever, under every policy.
  if (IsExternalSecret(*controller)) {
    return Refuse(RefusalReason::kOwnedByAnotherExternalSecret,
                  controller->name + " controls Secret " + object.target_name() +
                      "; give one of the two another target.name");
  }
  if (object.spec.creation_policy != CreationPolicy::kOwner) return std::nullopt;
  return Refuse(RefusalReason::kForeignOwner,
                "Secret " + object.target_name() + " is controlled by " + controller->kind + " " +
                    controller->name +
                    "; use another target.name, or creationPolicy Merge to add keys to it");
}

std::optional<SecretAction> CheckImmutableParts(const ExternalSecret& object,
                                                const SecretState& state,
                                                const ExistingSecret& existing) {
  if (state.type != TypeOf(existing)) {
    return Refuse(RefusalReason::kTypeChange,
                  "Secret " + object.target_name() + " has type " + TypeOf(existing) +
                      ", which Kubernetes does not allow to change to " + state.type +
                      "; delete the Secret to have it made anew");
  }
  if (existing.immutable && !SameData(state, existing)) {
    return Refuse(RefusalReason::kImmutable,
                  "the data for Secret " + object.target_name() +
                      " changed; delete the Secret to have it made anew");
  }
  return std::nullopt;
}

bool WasMadeBy(const ExternalSecret& object, const ExistingSecret& existing) {
  const OwnerReference* controller = existing.Controller();
  if (controller != nullptr) return IsReferenceTo(*controller, object);
  const auto created_by = existing.labels.find(kCreatedByLabel);
  return created_by != existing.labels.end() &&
         created_by->second == CreatedByHash(object.namespace_name, object.name);
}

}  // namespace

SecretAction DecideWrite(const ExternalSecret& object, const TargetSecret& wanted,
                         const ExistingSecret* existing) {
  SecretAction action;
  const CreationPolicy policy = object.spec.creation_policy;
  if (policy == CreationPolicy::kNone) return action;
  if (existing == nullptr && policy == CreationPolicy::kMerge) {
    action.kind = SecretAction::Kind::kMissing;
    return action;
  }
  if (existing != nullptr) {
    if (auto refusal = CheckOwner(object, *existing)) return *std::move(refusal);
  }
  const SecretState state = Compose(object, wanted, existing);
  if (existing == nullptr) {
    action.kind = SecretAction::Kind::kCreate;
    action.data_changed = true;
    action.body = ToObject(state, wanted, nullptr);
    return action;
  }
  if (auto refusal = CheckImmutableParts(object, state, *existing)) return *std::move(refusal);
  action.data_changed = !SameData(state, *existing);
  if (!action.data_changed && SameMetadata(state, *existing)) return action;
  action.kind = SecretAction::Kind::kUpdate;
  action.uid = existing->uid;
  action.resource_version = existing->resource_version;
  action.body = ToObject(state, wanted, existing);
  return action;
}

SecretAction DecideDeletion(const ExternalSecret& object, const ExistingSecret* existing) {
  SecretAction action;
  if (existing == nullptr) return action;
  if (!WasMadeBy(object, *existing)) {
    return Refuse(RefusalReason::kNotOurs, "Secret " + object.target_name() +
                                               " was not made by this ExternalSecret; delete it "
                                               "by hand, or use deletionPolicy Retain");
  }
  action.kind = SecretAction::Kind::kDelete;
  action.uid = existing->uid;
  action.resource_version = existing->resource_version;
  action.data_changed = true;
  return action;
}

bool IsOrphan(const ExternalSecret& object, std::string_view secret_name, const StringMap& labels) {
  const auto created_by = labels.find(kCreatedByLabel);
  return secret_name != object.target_name() && created_by != labels.end() &&
         created_by->second == CreatedByHash(object.namespace_name, object.name);
}

}  // namespace escagent::mirror
