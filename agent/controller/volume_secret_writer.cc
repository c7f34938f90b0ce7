#include "agent/controller/volume_secret_writer.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/mirror/data_hash.h"
#include "agent/mirror/existing_secret.h"
#include "base/backoff.h"
#include "base/json_fields.h"
#include "base/strings.h"

namespace escagent::controller {
namespace {

using nlohmann::json;
using volume::MirroredSecret;

constexpr int kAttempts = 8;
constexpr Backoff::Options kPause{.initial = std::chrono::milliseconds(20),
                                  .max = std::chrono::milliseconds(500),
                                  .factor = 2.0,
                                  .jitter = 0.9};
// Shorter than the client's own limit: a publish that waits has 10 s altogether.
constexpr std::chrono::seconds kCallTimeout{5};

bool IsOurs(const json& object) {
  const json& labels = Member(Member(object, "metadata"), "labels");
  return StringMember(labels, kManagedByLabel) == kManagedBy &&
         StringMember(labels, kMirrorOfLabel) == kMirrorOfVolume;
}

bool IsGoing(const json& object) {
  return !StringMember(Member(object, "metadata"), "deletionTimestamp").empty();
}

bool IsOwner(const json& owner, const std::string& pod_uid) {
  return StringMember(owner, "uid") == pod_uid;
}

bool HasOwner(const json& object, const std::string& pod_uid) {
  const json& owners = Member(Member(object, "metadata"), "ownerReferences");
  return std::ranges::any_of(owners, [&](const json& owner) { return IsOwner(owner, pod_uid); });
}

// Sees to it that the Secret may be written for this volume.
Status CheckOwnership(const json& object, const MirroredSecret& secret) {
  if (!IsOurs(object)) {
    return FailedPrecondition("Secret " + secret.FullName() +
                              " is there and was not made by a volume, so it is not overwritten; "
                              "delete it or give mirrorTo another name");
  }
  const json& annotations = Member(Member(object, "metadata"), "annotations");
  const std::string source = StringMember(annotations, kVolumeSourceAnnotation);
  if (source == secret.source) return {};
  return FailedPrecondition("Secret " + secret.FullName() +
                            " is of a volume with other contents (" + source +
                            ", wanted: " + secret.source + "); give mirrorTo another name");
}

// Whether there is nothing to write.
Result<bool> IsCurrent(const json& object, const MirroredSecret& secret, const std::string& hash) {
  ESC_ASSIGN_OR_RETURN(const mirror::ExistingSecret existing,
                       mirror::ParseExistingSecret(object, ""));
  const auto noted = existing.annotations.find(kVolumeDataHashAnnotation);
  return noted != existing.annotations.end() && noted->second == hash &&
         mirror::DataHash(existing.data) == hash && HasOwner(object, secret.pod.uid);
}

// Puts what is wanted over an object; what is not ours in it stays.
void Fill(const MirroredSecret& secret, const std::string& hash, json& object) {
  json& metadata = object["metadata"];
  metadata["labels"][kManagedByLabel] = kManagedBy;
  metadata["labels"][kMirrorOfLabel] = kMirrorOfVolume;
  metadata["annotations"][kVolumeDataHashAnnotation] = hash;
  metadata["annotations"][kVolumeSourceAnnotation] = secret.source;
  if (!HasOwner(object, secret.pod.uid)) {
    metadata["ownerReferences"].push_back({{"apiVersion", "v1"},
                                           {"kind", "Pod"},
                                           {"name", secret.pod.name},
                                           {"uid", secret.pod.uid},
                                           {"controller", false},
                                           {"blockOwnerDeletion", false}});
  }
  json& data = object["data"];
  data = json::object();
  for (const auto& [key, value] : secret.data) {
    SecretBuilder encoded;
    EncodeBase64(value.Reveal(), encoded);
    data[key] = std::string(encoded.Reveal());
  }
}

// A lost race: read again and retry.
Status AbortedOn(Code code, const Result<kube::Object>& written) {
  if (written) return {};
  Error error = written.error();
  if (error.code == code) error.code = Code::kAborted;
  return std::unexpected(std::move(error));
}

}  // namespace

template <class Attempt>
Status VolumeSecretWriter::AfterConflicts(const std::string& seed, const std::stop_token& stop,
                                          Attempt attempt) {
  Backoff backoff(kPause, std::hash<std::string>()(seed));
  Status status = attempt();
  for (int i = 1; i < kAttempts && !status && status.error().code == Code::kAborted; ++i) {
    if (!clock_.SleepUntil(clock_.Now() + backoff.Next(), stop)) break;
    status = attempt();
  }
  return status;
}

Status VolumeSecretWriter::Write(const MirroredSecret& secret, bool urgent,
                                 const std::stop_token& stop) {
  if (Status served = scope_.Check(secret.pod.namespace_name); !served) {
    return std::unexpected(
        Annotate(std::move(served).error(), "write Secret " + secret.FullName()));
  }
  const kube::CallOptions options{
      .priority = urgent ? kube::Priority::kInteractive : kube::Priority::kNormal,
      .timeout = kCallTimeout,
      .stop = stop};
  return AfterConflicts(secret.pod.uid, stop, [&] { return TryWrite(secret, options); });
}

Status VolumeSecretWriter::TryWrite(const MirroredSecret& secret,
                                    const kube::CallOptions& options) {
  const kube::ObjectKey key{secret.pod.namespace_name, secret.name};
  const std::string hash = mirror::DataHash(secret.data);
  Result<kube::Object> existing = api_.Get(kube::Secrets(), key, options);
  if (!existing && existing.error().code == Code::kNotFound) {
    kube::Object object(json{{"metadata", {{"namespace", key.namespace_name}, {"name", key.name}}},
                             {"type", "Opaque"}});
    Fill(secret, hash, object.json());
    return AbortedOn(Code::kAlreadyExists, api_.Create(kube::Secrets(), object, options));
  }
  if (!existing) return std::unexpected(existing.error());
  ESC_RETURN_IF_ERROR(CheckOwnership(existing->json(), secret));
  if (IsGoing(existing->json())) {
    return MakeError(Code::kAborted, "Secret " + secret.FullName() + " is being deleted");
  }
  ESC_ASSIGN_OR_RETURN(const bool current, IsCurrent(existing->json(), secret, hash));
  if (current) return {};
  Fill(secret, hash, existing->json());
  return AbortedOn(Code::kNotFound, api_.Replace(kube::Secrets(), *existing, options));
}

Status VolumeSecretWriter::Release(const std::string& name, const csi::PodInfo& pod,
                                   const std::stop_token& stop) {
  if (!scope_.Contains(pod.namespace_name)) return {};
  const kube::CallOptions options{
      .priority = kube::Priority::kNormal, .timeout = kCallTimeout, .stop = stop};
  return AfterConflicts(pod.uid, stop, [&] {
    Status released = TryRelease({pod.namespace_name, name}, pod.uid, options);
    // Deleted by somebody meanwhile.
    if (!released && released.error().code == Code::kNotFound) return Status();
    return released;
  });
}

Status VolumeSecretWriter::TryRelease(const kube::ObjectKey& key, const std::string& pod_uid,
                                      const kube::CallOptions& options) {
  ESC_ASSIGN_OR_RETURN(const kube::Object existing,
                       api_.GetMetadata(kube::Secrets(), key, options));
  if (!IsOurs(existing.json()) || !HasOwner(existing.json(), pod_uid)) return {};
  json owners = json::array();
  for (const json& owner : Member(Member(existing.json(), "metadata"), "ownerReferences")) {
    if (!IsOwner(owner, pod_uid)) owners.push_back(owner);
  }
  if (owners.empty()) {
    return api_.Delete(kube::Secrets(), key, {existing.Uid(), existing.ResourceVersion()}, options);
  }
  const kube::Object patch(json{{"metadata",
                                 {{"uid", existing.Uid()},
                                  {"resourceVersion", existing.ResourceVersion()},
                                  {"ownerReferences", std::move(owners)}}}});
  const Result<kube::Object> patched =
      api_.Patch(kube::Secrets(), key, kube::PatchType::kMerge, patch, "", options);
  if (!patched) return std::unexpected(patched.error());
  return {};
}

}  // namespace escagent::controller
