#pragma once

#include <string>
#include <string_view>

#include "agent/volume/volume.h"
#include "base/clock.h"
#include "base/result.h"
#include "csi/volume_service.h"

namespace escagent::volume {

// What an agent must know of a volume that an agent before it had mounted
// (fuse::MountOptions::metadata). Never a token or a value.
struct VolumeRecord {
  // As kubelet sent it, without tokens and secrets.
  csi::PublishRequest request;
  SourceName source;
  Clock::WallTime mounted_at;
};

// JSON; a later version may add keys, and reads what an earlier one wrote.
std::string EncodeRecord(const VolumeIdentity& identity, const SourceName& source,
                         Clock::WallTime mounted_at);
// INVALID_ARGUMENT when it is no such JSON.
Result<VolumeRecord> DecodeRecord(std::string_view text);

}  // namespace escagent::volume
