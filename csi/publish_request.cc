#include "csi/publish_request.h"

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "csi/request_checks.h"

namespace escagent::csi {
namespace {

// The keys kubelet adds to volume_context (CSIDriver.spec.podInfoOnMount and tokenRequests); they
// override the pod author's, so with kubelet as the peer they can be trusted. Source:
// kubernetes/pkg/volume/csi/csi_mounter.go.
constexpr std::string_view kKubernetesPrefix = "csi.storage.k8s.io/";
constexpr const char* kEphemeralKey = "csi.storage.k8s.io/ephemeral";
constexpr const char* kPodNameKey = "csi.storage.k8s.io/pod.name";
constexpr const char* kPodNamespaceKey = "csi.storage.k8s.io/pod.namespace";
constexpr const char* kPodUidKey = "csi.storage.k8s.io/pod.uid";
constexpr const char* kServiceAccountKey = "csi.storage.k8s.io/serviceAccount.name";
// In `secrets` with CSIDriver.spec.serviceAccountTokenInSecrets, else in volume_context.
constexpr const char* kTokensKey = "csi.storage.k8s.io/serviceAccount.tokens";

constexpr std::string_view kContextFlag = "context=";
// (gid_t)-1 means "no change" to chown(2).
constexpr unsigned kMaxGid = 0xFFFFFFFE;

const std::string* Find(const google::protobuf::Map<std::string, std::string>& map,
                        const char* key) {
  const auto it = map.find(key);
  return it == map.end() || it->second.empty() ? nullptr : &it->second;
}

Status CheckGroup(const std::string& group) {
  if (group.empty()) return {};
  unsigned gid = 0;
  const char* const end = group.data() + group.size();
  const auto [stop, error] = std::from_chars(group.data(), end, gid);
  if (error != std::errc{} || stop != end || gid > kMaxGid) {
    return InvalidArgument("volume_mount_group must be a decimal group id from 0 to " +
                           std::to_string(kMaxGid));
  }
  return {};
}

Status CheckMount(const v1::VolumeCapability::MountVolume& mount) {
  if (!mount.fs_type().empty()) {
    return InvalidArgument("pod.spec.volumes[].csi.fsType must not be set for this driver");
  }
  for (const std::string& flag : mount.mount_flags()) {
    if (!flag.starts_with(kContextFlag)) {
      return InvalidArgument("mount_flags: only the SELinux option context= is allowed");
    }
  }
  return CheckGroup(mount.volume_mount_group());
}

Status CheckAccessMode(v1::VolumeCapability::AccessMode::Mode mode) {
  using AccessMode = v1::VolumeCapability::AccessMode;
  switch (mode) {
    case AccessMode::SINGLE_NODE_WRITER:
    case AccessMode::SINGLE_NODE_READER_ONLY:
    case AccessMode::MULTI_NODE_READER_ONLY:
    case AccessMode::SINGLE_NODE_SINGLE_WRITER:
    case AccessMode::SINGLE_NODE_MULTI_WRITER:
      return {};
    default:
      return InvalidArgument(
          "volume_capability.access_mode must be a SINGLE_NODE_ mode or MULTI_NODE_READER_ONLY");
  }
}

Status CheckCapability(const v1::NodePublishVolumeRequest& request) {
  if (!request.has_volume_capability()) return InvalidArgument("volume_capability is missing");
  const v1::VolumeCapability& capability = request.volume_capability();
  if (capability.has_block()) {
    return InvalidArgument("volume_capability: a block volume cannot be served; use a mount");
  }
  if (!capability.has_mount()) {
    return InvalidArgument("volume_capability: the access type is missing; use a mount");
  }
  ESC_RETURN_IF_ERROR(CheckMount(capability.mount()));
  return CheckAccessMode(capability.access_mode().mode());
}

Status CheckPodInfo(const v1::NodePublishVolumeRequest& request) {
  const auto& context = request.volume_context();
  for (const char* key :
       {kEphemeralKey, kPodNameKey, kPodNamespaceKey, kPodUidKey, kServiceAccountKey}) {
    if (Find(context, key) == nullptr) {
      return InvalidArgument("volume_context has no " + std::string(key) +
                             "; set podInfoOnMount: true in the CSIDriver object");
    }
  }
  if (*Find(context, kEphemeralKey) != "true") {
    return InvalidArgument(
        "only ephemeral inline volumes (pod.spec.volumes[].csi) can be served, not "
        "PersistentVolumes");
  }
  return {};
}

Status Check(const v1::NodePublishVolumeRequest& request) {
  ESC_RETURN_IF_ERROR(CheckVolumeId(request.volume_id()));
  ESC_RETURN_IF_ERROR(CheckPath(request.target_path(), "target_path"));
  ESC_RETURN_IF_ERROR(CheckCapability(request));
  if (!request.readonly()) {
    return InvalidArgument("pod.spec.volumes[].csi.readOnly must be set to 'true'");
  }
  return CheckPodInfo(request);
}

PublishRequest Convert(v1::NodePublishVolumeRequest& request) {
  PublishRequest result;
  result.volume_id = request.volume_id();
  result.target_path = request.target_path();
  auto& context = *request.mutable_volume_context();
  result.pod = {.name = context.at(kPodNameKey),
                .namespace_name = context.at(kPodNamespaceKey),
                .uid = context.at(kPodUidKey),
                .service_account = context.at(kServiceAccountKey)};
  for (const auto& [key, value] : context) {
    if (!key.starts_with(kKubernetesPrefix)) result.attributes.emplace(key, value);
  }
  const auto& mount = request.volume_capability().mount();
  result.volume_mount_group = mount.volume_mount_group();
  result.mount_flags.assign(mount.mount_flags().begin(), mount.mount_flags().end());

  // A Secret wipes the string that it takes over.
  if (const auto token = context.find(kTokensKey); token != context.end()) {
    result.service_account_tokens = Secret(std::move(token->second));
  }
  for (auto& [key, value] : *request.mutable_secrets()) {
    if (key != kTokensKey) {
      result.secrets.emplace(key, Secret(std::move(value)));
    } else if (!value.empty()) {
      result.service_account_tokens = Secret(std::move(value));
    }
  }
  return result;
}

void WipeSecrets(v1::NodePublishVolumeRequest& request) {
  for (auto& entry : *request.mutable_secrets()) WipeString(entry.second);
  auto& context = *request.mutable_volume_context();
  if (const auto token = context.find(kTokensKey); token != context.end()) {
    WipeString(token->second);
  }
}

}  // namespace

Result<PublishRequest> ParsePublishRequest(v1::NodePublishVolumeRequest& request) {
  const Status status = Check(request);
  if (!status) {
    WipeSecrets(request);
    return std::unexpected(status.error());
  }
  return Convert(request);
}

}  // namespace escagent::csi
