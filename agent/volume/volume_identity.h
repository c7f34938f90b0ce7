#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/volume/volume_attributes.h"
#include "agent/volume/volume_status.h"
#include "base/result.h"
#include "csi/volume_service.h"

namespace escagent::volume {

// What makes a request for a volume the same request again.
struct VolumeIdentity {
  std::string volume_id;
  std::string target;
  csi::PodInfo pod;
  VolumeAttributes attributes;
  std::string selinux_context;
  // What the last two were read from.
  struct Requested {
    std::map<std::string, std::string> attributes;
    std::string volume_mount_group;
    std::vector<std::string> mount_flags;
  };
  Requested requested;
};

// What a request says of its source, before anybody is asked. A store's environment is not known
// then.
SourceName NamedSource(const VolumeIdentity& identity);

// INVALID_ARGUMENT when the target, an attribute or a mount flag cannot be.
Result<VolumeIdentity> ReadRequest(const csi::PublishRequest& request);

// CSI's answers to a second publish of a volume (reference/csi-contract.md 1.2): ALREADY_EXISTS or
// FAILED_PRECONDITION when it is another request. Tokens are not compared: kubelet sends new ones
// each time.
Status CheckSameRequest(const VolumeIdentity& mounted, const VolumeIdentity& wanted);

}  // namespace escagent::volume
