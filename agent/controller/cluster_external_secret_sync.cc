#include "agent/controller/cluster_external_secret_sync.h"

#include <utility>

#include "agent/controller/resources.h"
#include "base/json_fields.h"

namespace escagent::controller {
namespace {

using mirror::ClusterExternalSecret;
using ActionKind = mirror::ExternalSecretAction::Kind;

constexpr int kActionConflicts = 4;
// ESO's text.
constexpr char kAlreadyExists[] = "external secret already exists in namespace";

// Changes with what the object wants of its ExternalSecrets.
std::string WishOf(const ClusterExternalSecret& object) {
  const auto force = object.annotations.find(mirror::kForceSyncAnnotation);
  return object.uid + "/" + std::to_string(object.generation) + "/" +
         (force == object.annotations.end() ? "" : force->second);
}

}  // namespace

ClusterExternalSecretSync::ClusterExternalSecretSync(
    kube::Api& api, OwnedExternalSecrets& owned,
    std::function<bool(const std::string& name)> may_write)
    : api_(api), owned_(owned), may_write_(std::move(may_write)) {}

Result<ClusterExternalSecretSync::Outcome> ClusterExternalSecretSync::Run(
    const ClusterExternalSecret& object, const Namespaces& namespaces,
    const kube::CallOptions& call) {
  Outcome outcome;
  const auto fail = [&](const std::string& name, std::string reason) {
    outcome.provision.failed.push_back({name, std::move(reason)});
  };
  std::set<kube::ObjectKey> wanted;
  for (const auto& [name, labels] : namespaces) {
    if (!object.Selects(name, labels)) continue;
    wanted.insert({name, object.external_secret_name});
    const Result<std::optional<bool>> provisioned = Provision(object, name, call);
    ESC_RETURN_IF_ERROR(MayWrite(object));
    if (!provisioned) {
      outcome.retry = true;
      fail(name, provisioned.error().message);
    } else if (*provisioned == true) {
      outcome.provision.provisioned.push_back(name);
    } else if (*provisioned == false) {
      fail(name, kAlreadyExists);
    }
  }
  for (const auto& [key, known] : owned_.Of(object.name)) {
    if (wanted.contains(key)) continue;
    if (const Status deleted = Delete(object, key, known.uid, call); !deleted) {
      outcome.retry = true;
      fail(key.namespace_name, deleted.error().message);
    }
  }
  ESC_RETURN_IF_ERROR(MayWrite(object));
  return outcome;
}

Result<std::optional<bool>> ClusterExternalSecretSync::Provision(
    const ClusterExternalSecret& object, const std::string& namespace_name,
    const kube::CallOptions& call) {
  const kube::ObjectKey key{namespace_name, object.external_secret_name};
  const std::string wish = WishOf(object);
  if (owned_.IsAsWanted(key, wish)) return true;
  bool awaited = false;
  for (int attempt = 0; attempt < kActionConflicts; ++attempt) {
    const Result<kube::Object> existing = api_.Get(ExternalSecrets(), key, call);
    if (!existing && existing.error().code != Code::kNotFound) {
      return std::unexpected(existing.error());
    }
    mirror::ExternalSecretAction action =
        mirror::DecideExternalSecret(object, namespace_name, existing ? &*existing : nullptr);
    if (action.kind == ActionKind::kConflict) {
      if (awaited) return false;
      // Once more, as it may have gone before it was awaited.
      owned_.Await(key, object.name);
      awaited = true;
      continue;
    }
    if (action.kind == ActionKind::kNone) {
      owned_.NoteAsWanted(Member(existing->json(), "metadata"), wish);
      return true;
    }
    ESC_RETURN_IF_ERROR(MayWrite(object));
    Result<std::optional<kube::Object>> written = Write(object, action, call);
    if (!written) {
      const bool refused = written.error().code == Code::kPermissionDenied;
      if (refused && IsTerminating(namespace_name, call)) return std::nullopt;
      return std::unexpected(written.error());
    }
    if (!*written) continue;
    owned_.NoteAsWanted(Member((*written)->json(), "metadata"), wish);
    return true;
  }
  return MakeError(Code::kAborted,
                   "write ExternalSecret " + key.ToString() + ": somebody else keeps changing it");
}

Result<std::optional<kube::Object>> ClusterExternalSecretSync::Write(
    const ClusterExternalSecret& object, const mirror::ExternalSecretAction& action,
    const kube::CallOptions& call) {
  ESC_RETURN_IF_ERROR(MayWrite(object));
  const bool creates = action.kind == ActionKind::kCreate;
  Result<kube::Object> written = creates ? api_.Create(ExternalSecrets(), action.body, call)
                                         : api_.Replace(ExternalSecrets(), action.body, call);
  if (written) return *std::move(written);
  const Code code = written.error().code;
  const bool raced = code == Code::kAborted || (creates && code == Code::kAlreadyExists) ||
                     (!creates && code == Code::kNotFound);
  if (raced) return std::nullopt;
  return std::unexpected(written.error());
}

bool ClusterExternalSecretSync::IsTerminating(const std::string& namespace_name,
                                              const kube::CallOptions& call) {
  const Result<kube::Object> found =
      api_.GetMetadata(kube::Namespaces(), {"", namespace_name}, call);
  if (!found) return found.error().code == Code::kNotFound;
  return !StringMember(Member(found->json(), "metadata"), "deletionTimestamp").empty();
}

Status ClusterExternalSecretSync::RemoveAll(const ClusterExternalSecret& object,
                                            const kube::CallOptions& call) {
  for (const auto& [key, known] : owned_.Of(object.name)) {
    if (known.owner_uid != object.uid) continue;
    ESC_RETURN_IF_ERROR(Delete(object, key, known.uid, call));
  }
  return {};
}

Status ClusterExternalSecretSync::Delete(const ClusterExternalSecret& object,
                                         const kube::ObjectKey& key, const std::string& uid,
                                         const kube::CallOptions& call) {
  ESC_RETURN_IF_ERROR(MayWrite(object));
  const Status deleted =
      api_.Delete(ExternalSecrets(), key, {.uid = uid, .resource_version = {}}, call);
  if (deleted) return {};
  // ABORTED: another of the same name is there, which the watch will tell of.
  if (deleted.error().code == Code::kNotFound || deleted.error().code == Code::kAborted) return {};
  return deleted;
}

Status ClusterExternalSecretSync::MayWrite(const ClusterExternalSecret& object) const {
  if (may_write_(object.name)) return {};
  return MakeError(Code::kAborted,
                   "another agent looks after ClusterExternalSecret " + object.name + " now");
}

}  // namespace escagent::controller
