#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/cache/snapshot.h"
#include "agent/mirror/secret_data.h"
#include "agent/volume/volume_attributes.h"
#include "base/result.h"

namespace escagent::volume {

// The data of the Secret that `mirrorTo` asks for: the volume's own view of a snapshot.
//
// Format::kFiles: a key for each key of the mounted object (or each index of an array), as an
// ExternalSecret's extract gives it: scalars as text, objects and arrays as JSON on one line,
// characters that Kubernetes does not allow in a key as "_". A scalar is one key with the last name
// of its path. With items, and with the formats of one file: a key for each file, with "." for "/".
//
// Nothing when the volume is optional and has no values: no Secret is written for that.
//
// Errors are Render()'s, and INVALID_ARGUMENT for keys that Kubernetes refuses or that collide.
Result<std::optional<mirror::SecretData>> MirrorContent(
    const std::shared_ptr<const cache::Snapshot>& snapshot, const VolumeAttributes& attributes);

// Everything that the data depends on beside the values: "SecretStore/app path=app.db". Volumes
// with equal texts in one namespace have the same data. For people, too; hence without what is at
// its default.
// `service_account`: the pod's, whose identity counts with auth: pod.
std::string MirrorSource(const VolumeAttributes& attributes, const std::string& service_account);

}  // namespace escagent::volume
