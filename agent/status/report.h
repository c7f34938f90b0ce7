#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/audit/audit_log.h"
#include "agent/cache/environment_cache.h"
#include "agent/controller/mirror.h"
#include "agent/identity/token_stats.h"
#include "agent/status/sharing_status.h"
#include "agent/volume/volume_status.h"
#include "base/clock.h"
#include "base/locked_memory.h"

namespace escagent::status {

// What the agent tells of itself at one moment: the source of `esc-agent status`, /status and the
// status page. Never a value or a token.
struct Report {
  std::string node;
  std::string driver;
  bool registered = false;               // kubelet acknowledged the driver
  std::optional<bool> keeper_connected;  // nothing: the agent runs without a keeper
  Clock::WallTime started_at;
  Clock::TimePoint now;  // what the environments' ages are counted from
  std::vector<cache::EnvironmentStatus> environments;
  std::vector<volume::VolumeStatus> volumes;
  std::optional<controller::MirrorStatus> mirror;  // nothing: the agent does not mirror
  SharingStatus sharing{};
  LockedMemoryStats secret_memory{};
  std::optional<audit::AuditLog::Stats> audit{};  // nothing: there is no audit log
  identity::TokenStats tokens{};
};

// {"agent": {...}, "environments": [...], "volumes": [...]} and, with a mirror, "mirror": {...};
// docs/operations.md has the fields.
nlohmann::json ToJson(const Report& report);

}  // namespace escagent::status
