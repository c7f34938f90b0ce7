#include "agent/volume/volume_identity.h"

#include <string_view>

#include "agent/volume/target_path.h"

namespace escagent::volume {
namespace {

// The one mount option that kubelet gives an inline volume (CSIDriver.spec.seLinuxMount).
Result<std::string> SelinuxContext(const std::vector<std::string>& mount_flags) {
  constexpr std::string_view kContext = "context=";
  std::string context;
  for (const std::string& flag : mount_flags) {
    if (flag.starts_with(kContext)) {
      context = flag.substr(kContext.size());
    } else if (flag != "ro") {
      return InvalidArgument("mount_flags: only context= and ro are supported");
    }
  }
  return context;
}

bool SamePod(const csi::PodInfo& a, const csi::PodInfo& b) {
  return a.name == b.name && a.namespace_name == b.namespace_name && a.uid == b.uid &&
         a.service_account == b.service_account;
}

}  // namespace

SourceName NamedSource(const VolumeIdentity& identity) {
  const std::string in_namespace = identity.pod.namespace_name + "/";
  if (const auto& environment = identity.attributes.pod_environment) {
    return {.store = "ServiceAccount " + in_namespace + identity.pod.service_account,
            .environment = environment->ref.ToString()};
  }
  StoreName store = identity.attributes.store;
  if (!store.cluster) store.name = in_namespace + store.name;
  return {.store = store.ToString(), .environment = {}};
}

Result<VolumeIdentity> ReadRequest(const csi::PublishRequest& request) {
  ESC_RETURN_IF_ERROR(ValidateTarget(request.target_path));
  VolumeIdentity identity;
  ESC_ASSIGN_OR_RETURN(identity.attributes,
                       ParseVolumeAttributes(request.attributes, request.volume_mount_group));
  ESC_ASSIGN_OR_RETURN(identity.selinux_context, SelinuxContext(request.mount_flags));
  identity.volume_id = request.volume_id;
  identity.target = request.target_path;
  identity.pod = request.pod;
  identity.requested = {.attributes = request.attributes,
                        .volume_mount_group = request.volume_mount_group,
                        .mount_flags = request.mount_flags};
  return identity;
}

Status CheckSameRequest(const VolumeIdentity& mounted, const VolumeIdentity& wanted) {
  const std::string volume = "volume " + mounted.volume_id + ": ";
  if (mounted.target != wanted.target) {
    return FailedPrecondition(volume + "is published at " + mounted.target +
                              " already, and can be at one path only");
  }
  std::string difference;
  if (!SamePod(mounted.pod, wanted.pod)) difference = "pod";
  if (mounted.attributes != wanted.attributes) difference = "attributes or fsGroup";
  if (mounted.selinux_context != wanted.selinux_context) difference = "mount flags";
  if (difference.empty()) return {};
  return MakeError(Code::kAlreadyExists,
                   volume + "is published at this path with other " + difference + " already");
}

}  // namespace escagent::volume
