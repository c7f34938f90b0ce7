#pragma once

#include "base/result.h"
#include "csi/proto/csi.pb.h"
#include "csi/volume_service.h"

namespace escagent::csi {

namespace v1 = ::csi::v1;

// Checks a NodePublishVolumeRequest and turns it into our own terms.
//
// What is refused, always with INVALID_ARGUMENT and a message for the author of the pod: missing
// fields, block volumes, an access mode for several writers, fsType, mount options other than
// SELinux's context=, a volume that is not read-only or not ephemeral, and a request without
// the pod's identity. The attributes are checked later, by the VolumeService.
//
// Takes the secrets out of `request`: every value of `secrets` and the service-account tokens in
// volume_context are wiped there, whether the answer is a request or an error. (gRPC's receive
// buffers are out of reach.)
Result<PublishRequest> ParsePublishRequest(v1::NodePublishVolumeRequest& request);

}  // namespace escagent::csi
