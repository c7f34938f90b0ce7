#include "agent/mirror/cluster_external_secret.h"

#include <algorithm>
#include <utility>

#include "agent/mirror/label_selector_reader.h"
#include "agent/mirror/ready_condition.h"
#include "agent/mirror/spec_reader.h"
#include "base/json_fields.h"

namespace escagent::mirror {
namespace {

using nlohmann::json;

constexpr char kNamespacesFailed[] = "one or more namespaces failed";

ClusterExternalSecretStatus ReadStatus(const json& status) {
  ClusterExternalSecretStatus read;
  read.conditions = ReadConditions(status);
  read.external_secret_name = StringMember(status, "externalSecretName");
  read.provisioned_namespaces = StringsMember(status, "provisionedNamespaces");
  const json& failures = Member(status, "failedNamespaces");
  if (!failures.is_array()) return read;
  for (const json& failure : failures) {
    read.failed_namespaces.push_back(
        {StringMember(failure, "namespace"), StringMember(failure, "reason")});
  }
  return read;
}

void ReadSpec(const SpecReader& fields, ClusterExternalSecret& read) {
  read.external_secret_name = fields.Text("externalSecretName");
  if (read.external_secret_name.empty()) read.external_secret_name = read.name;
  const SpecReader metadata = fields.Map("externalSecretMetadata");
  read.external_secret_labels = metadata.TextMap("labels");
  read.external_secret_annotations = metadata.TextMap("annotations");
  read.namespaces = fields.TextList("namespaces");
  for (const SpecReader& selector : fields.MapList("namespaceSelectors")) {
    read.selectors.push_back(ReadLabelSelector(selector));
  }
  if (fields.Has("namespaceSelector")) {
    read.selectors.push_back(ReadLabelSelector(fields.Map("namespaceSelector")));
  }
  if (const auto interval = fields.Duration("refreshTime")) read.refresh_interval = *interval;
  if (!fields.Has("externalSecretSpec")) fields.Problem("externalSecretSpec", "is required");
}

Status CheckIdentity(const json& object, const ClusterExternalSecret& read) {
  const std::string version = StringMember(object, "apiVersion");
  const std::string group(kExternalSecretsGroup);
  if (StringMember(object, "kind") != kClusterExternalSecretKind ||
      (version != group + "/v1" && version != group + "/v1beta1")) {
    return InvalidArgument("read ClusterExternalSecret: the object is not one of " + group +
                           "/v1 or v1beta1");
  }
  if (read.name.empty() || read.uid.empty()) {
    return InvalidArgument("read ClusterExternalSecret: the object has no name or uid");
  }
  return {};
}

bool IsClusterExternalSecret(const json& owner) {
  const std::string version = StringMember(owner, "apiVersion");
  return StringMember(owner, "kind") == kClusterExternalSecretKind &&
         version.substr(0, version.find('/')) == kExternalSecretsGroup;
}

// The element with controller: true, or a null document.
const json& ControllerOf(const json& metadata) {
  static const json none;
  const json& owners = Member(metadata, "ownerReferences");
  if (!owners.is_array()) return none;
  const auto controller = std::ranges::find_if(
      owners, [](const json& owner) { return BoolMember(owner, "controller"); });
  return controller == owners.end() ? none : *controller;
}

StringMap WantedAnnotations(const ClusterExternalSecret& wanted) {
  StringMap annotations = wanted.external_secret_annotations;
  // ESO's rule: it is this object's annotation or none.
  annotations.erase(kForceSyncAnnotation);
  if (const auto it = wanted.annotations.find(kForceSyncAnnotation);
      it != wanted.annotations.end()) {
    annotations.insert(*it);
  }
  return annotations;
}

void SetStrings(json& metadata, const char* key, const StringMap& strings) {
  metadata.erase(key);
  for (const auto& [name, value] : strings) metadata[key][name] = value;
}

// The existing owners, with the reference to `wanted` as it should be.
json WantedOwners(const ClusterExternalSecret& wanted, const json& existing) {
  const json reference = {{"apiVersion", kExternalSecretApiVersion},
                          {"kind", kClusterExternalSecretKind},
                          {"name", wanted.name},
                          {"uid", wanted.uid},
                          {"controller", true},
                          {"blockOwnerDeletion", true}};
  json owners = json::array();
  bool found = false;
  if (existing.is_array()) {
    for (const json& owner : existing) {
      const bool ours =
          IsClusterExternalSecret(owner) && StringMember(owner, "name") == wanted.name;
      if (!ours) {
        owners.push_back(owner);
      } else if (!std::exchange(found, true)) {
        // Its API version may be v1beta1's: that is no reason to write.
        const bool current = StringMember(owner, "uid") == wanted.uid &&
                             BoolMember(owner, "controller") &&
                             BoolMember(owner, "blockOwnerDeletion");
        owners.push_back(current ? owner : reference);
      }
    }
  }
  if (!found) owners.push_back(reference);
  return owners;
}

json ToJson(std::vector<NamespaceFailure> failures) {
  json list = json::array();
  for (NamespaceFailure& failure : failures) {
    list.push_back(
        {{"namespace", std::move(failure.namespace_name)}, {"reason", std::move(failure.reason)}});
  }
  return list;
}

std::string Listed(const std::vector<std::string>& problems) {
  std::string list;
  for (const std::string& problem : problems) list += (list.empty() ? "" : "; ") + problem;
  return list;
}

}  // namespace

bool ClusterExternalSecret::Selects(std::string_view candidate,
                                    const store::Labels& candidate_labels) const {
  return std::ranges::find(namespaces, candidate) != namespaces.end() ||
         std::ranges::any_of(selectors, [&](const store::LabelSelector& selector) {
           return selector.Matches(candidate_labels);
         });
}

Result<ClusterExternalSecret> ParseClusterExternalSecret(const json& object) {
  ClusterExternalSecret read;
  static_cast<ObjectMeta&>(read) = ReadObjectMeta(object);
  ESC_RETURN_IF_ERROR(CheckIdentity(object, read));
  const json& spec = Member(object, "spec");
  ReadSpec(SpecReader(spec, "spec", read.spec_problems), read);
  read.external_secret_spec = Member(spec, "externalSecretSpec");
  read.status = ReadStatus(Member(object, "status"));
  return read;
}

ClusterOwner ClusterOwnerOf(const json& metadata) {
  const json& controller = ControllerOf(metadata);
  if (!IsClusterExternalSecret(controller)) return {};
  return {.name = StringMember(controller, "name"), .uid = StringMember(controller, "uid")};
}

ExternalSecretAction DecideExternalSecret(const ClusterExternalSecret& wanted,
                                          const std::string& namespace_name,
                                          const kube::Object* existing) {
  using Kind = ExternalSecretAction::Kind;
  ExternalSecretAction action;
  if (existing == nullptr) {
    action.kind = Kind::kCreate;
    action.body.json() = {
        {"apiVersion", kExternalSecretApiVersion},
        {"kind", kExternalSecretKind},
        {"metadata", {{"namespace", namespace_name}, {"name", wanted.external_secret_name}}}};
  } else {
    if (ClusterOwnerOf(Member(existing->json(), "metadata")).name != wanted.name) {
      action.kind = Kind::kConflict;
      return action;
    }
    action.kind = Kind::kReplace;
    action.body = existing->Clone();
  }
  json& metadata = action.body.json()["metadata"];
  SetStrings(metadata, "labels", wanted.external_secret_labels);
  SetStrings(metadata, "annotations", WantedAnnotations(wanted));
  metadata["ownerReferences"] = WantedOwners(wanted, Member(metadata, "ownerReferences"));
  action.body.json()["spec"] = wanted.external_secret_spec;
  if (existing != nullptr && action.body.json() == existing->json()) action.kind = Kind::kNone;
  return action;
}

std::optional<json> ClusterStatusPatch(const ClusterExternalSecret& object,
                                       const ProvisionOutcome& outcome,
                                       std::chrono::system_clock::time_point now) {
  const ClusterExternalSecretStatus& status = object.status;
  json patch = json::object();
  bool ready = false;
  std::string message;
  if (!object.spec_problems.empty()) {
    message = Listed(object.spec_problems);
  } else {
    std::vector<std::string> provisioned = outcome.provisioned;
    std::ranges::sort(provisioned);
    std::vector<NamespaceFailure> failed = outcome.failed;
    std::ranges::sort(failed, {}, &NamespaceFailure::namespace_name);
    ready = failed.empty();
    if (!ready) message = kNamespacesFailed;
    if (status.external_secret_name != object.external_secret_name) {
      patch["externalSecretName"] = object.external_secret_name;
    }
    if (status.provisioned_namespaces != provisioned) patch["provisionedNamespaces"] = provisioned;
    if (status.failed_namespaces != failed) patch["failedNamespaces"] = ToJson(std::move(failed));
  }
  if (auto conditions = ConditionsWithReady(status.conditions, ready, "", message, now)) {
    patch["conditions"] = *std::move(conditions);
  }
  if (patch.empty()) return std::nullopt;
  return json{{"status", std::move(patch)}};
}

}  // namespace escagent::mirror
