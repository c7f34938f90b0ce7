#include "agent/status/report.h"

#include <algorithm>
#include <utility>

#include "base/duration.h"
#include "base/version.h"

namespace escagent::status {
namespace {

using nlohmann::json;

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

json EnvironmentJson(const cache::EnvironmentStatus& environment, Clock::TimePoint now) {
  json out = {
      {"environment", environment.key.ref.ToString()},
      {"backend", environment.key.backend},
      {"subscribers", environment.subscribers},
      {"intervalSeconds", Seconds(environment.interval)},
      {"opened", environment.snapshot != nullptr},
      {"error", environment.last_error ? environment.last_error->ToString() : ""},
  };
  if (environment.snapshot != nullptr) {
    out["openedAt"] = FormatTime(environment.snapshot->opened_at);
  }
  out["revision"] = environment.revision;
  out["expired"] = environment.expired;
  if (environment.next_refresh != Clock::TimePoint::max()) {
    out["nextRefreshSeconds"] = std::max(0.0, Seconds(environment.next_refresh - now));
  }
  if (environment.fresh_at) out["freshSecondsAgo"] = Seconds(now - *environment.fresh_at);
  return out;
}

json VolumeJson(const volume::VolumeStatus& volume) {
  json out = {
      {"volumeId", volume.volume_id},
      {"namespace", volume.pod.namespace_name},
      {"pod", volume.pod.name},
      {"podUid", volume.pod.uid},
      {"serviceAccount", volume.pod.service_account},
      {"targetPath", volume.target},
      {"store", volume.store},
      {"environment", volume.environment},
      {"mountedAt", FormatTime(volume.mounted_at)},
      {"generation", volume.generation},
      {"served", volume.served},
      {"abnormal", volume.abnormal},
      {"condition", volume.condition},
  };
  if (volume.refresh_age) out["freshSecondsAgo"] = Seconds(*volume.refresh_age);
  return out;
}

json MirrorJson(const controller::MirrorStatus& mirror) {
  json shards = json::array();
  for (const controller::ShardStatus& shard : mirror.shards) {
    json row = {{"shard", shard.shard}, {"holder", shard.holder}, {"ours", shard.ours}};
    if (shard.since) row["since"] = FormatTime(*shard.since);
    shards.push_back(std::move(row));
  }
  const controller::ExternalSecretController::Stats& stats = mirror.external_secrets;
  json failures = json::array();
  for (const auto& failure : stats.objects.failures) {
    failures.push_back({{"namespace", failure.key.namespace_name},
                        {"name", failure.key.name},
                        {"error", failure.message}});
  }
  return {{"shards", std::move(shards)},
          {"externalSecrets",
           {{"total", stats.objects.total},
            {"ready", stats.objects.ready},
            {"failed", stats.objects.failed},
            {"waiting", stats.waiting},
            {"failures", std::move(failures)}}},
          {"pushSecrets",
           {{"total", mirror.push_secrets.total}, {"failed", mirror.push_secrets.failed}}}};
}

}  // namespace

json ToJson(const Report& report) {
  json environments = json::array();
  for (const auto& environment : report.environments) {
    environments.push_back(EnvironmentJson(environment, report.now));
  }
  json volumes = json::array();
  for (const auto& volume : report.volumes) volumes.push_back(VolumeJson(volume));
  json agent = {{"version", kVersion},
                {"node", report.node},
                {"driver", report.driver},
                {"registered", report.registered},
                {"startedAt", FormatTime(report.started_at)},
                {"secretMemory",
                 {{"mappedBytes", report.secret_memory.mapped_bytes},
                  {"unlockedBytes", report.secret_memory.unlocked_bytes}}}};
  if (report.keeper_connected) agent["keeperConnected"] = *report.keeper_connected;
  json out = {
      {"agent", std::move(agent)},
      {"environments", std::move(environments)},
      {"volumes", std::move(volumes)},
  };
  if (report.mirror) out["mirror"] = MirrorJson(*report.mirror);
  return out;
}

}  // namespace escagent::status
