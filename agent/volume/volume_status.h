#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "csi/volume_service.h"

namespace escagent::volume {

// Where a volume's values come from, for people.
struct SourceName {
  std::string store;        // "SecretStore default/app", "ServiceAccount shop/web"
  std::string environment;  // "org/project/env[@version]"
};

// What is known of one published volume, for status pages and metrics. Never a value.
struct VolumeStatus {
  std::string volume_id;
  std::string target;
  csi::PodInfo pod;
  std::string store;        // "SecretStore default/app"
  std::string environment;  // "org/project/env[@version]"
  Clock::WallTime mounted_at;
  // How long ago the values were last known to be current; empty when there are none yet.
  std::optional<std::chrono::milliseconds> refresh_age;
  // 1 for what was mounted first, one more with each rotation.
  std::uint64_t generation = 0;
  // Whether somebody serves the mount.
  bool served = false;
  // ESC refuses the identity that the values are opened with.
  bool refused = false;
  bool abnormal = false;
  // "mounted", or what is abnormal since when and why.
  std::string condition;
};

// Something that happened to a volume, for metrics and logs.
struct VolumeEvent {
  enum class Kind {
    kPublish,    // NodePublishVolume of a volume that was not mounted
    kRepublish,  // of one that was
    kRestack,    // a new mount on a dead one
    kUnpublish,
    kRotate,       // new values shown (or not: error)
    kRefuse,       // ESC begins to refuse the identity (error: how)
    kResubscribe,  // another environment or identity (or not: error)
  };
  Kind kind = Kind::kPublish;
  std::string volume_id;
  std::optional<Error> error;
  std::chrono::milliseconds duration{0};
  // Of kPublish, kUnpublish and kRefuse, as far as they are known.
  csi::PodInfo pod{};
  SourceName source{};
};

// Called on whatever thread it happens on, without locks held; must be quick.
using VolumeObserver = std::function<void(const VolumeEvent&)>;

}  // namespace escagent::volume
