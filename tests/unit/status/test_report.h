#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "agent/status/freshness_log.h"
#include "agent/status/report.h"

namespace escagent::testing {

// Two environments, of which one fails, and two volumes, of which one is abnormal.
inline status::Report MakeReport() {
  using std::chrono::seconds;
  status::Report report;
  report.node = "node-1";
  report.driver = "csi.esc-agent.io";
  report.registered = true;
  report.now = Clock::TimePoint(seconds(1000));

  cache::EnvironmentStatus good;
  good.key = {
      .backend = "https://api.pulumi.com/api/esc",
      .ref = {.organization = "acme", .project = "web", .environment = "dev", .version = ""},
      .identity = "digest-of-a-token"};
  auto snapshot = std::make_shared<cache::Snapshot>();
  snapshot->properties = esc::Value::String(Secret(std::string_view("a value")));
  good.snapshot = std::move(snapshot);
  good.revision = "7";
  good.fresh_at = report.now - seconds(3);
  good.next_refresh = report.now + seconds(7);
  good.interval = seconds(10);
  good.subscribers = 2;
  report.environments.push_back(std::move(good));

  cache::EnvironmentStatus failing;
  failing.key.ref = {
      .organization = "acme", .project = "web", .environment = "<b>&", .version = "3"};
  failing.last_error = Error{Code::kUnavailable, "no answer", {}};
  failing.next_refresh = Clock::TimePoint::max();
  report.environments.push_back(std::move(failing));

  volume::VolumeStatus mounted;
  mounted.volume_id = "csi-1";
  mounted.pod = {
      .name = "podinfo", .namespace_name = "default", .uid = "uid", .service_account = "sa"};
  mounted.store = "ClusterSecretStore store";
  mounted.environment = "acme/web/dev";
  mounted.generation = 4;
  mounted.served = true;
  mounted.condition = "mounted";
  mounted.refresh_age = seconds(3);
  report.volumes.push_back(mounted);
  mounted.volume_id = "csi-2";
  mounted.abnormal = true;
  mounted.condition = "nobody serves it";
  mounted.refresh_age.reset();
  report.volumes.push_back(mounted);
  report.secret_memory = {.mapped_bytes = 65536, .used_bytes = 100, .unlocked_bytes = 4096};
  return report;
}

// An hour with an agent that started 50 minutes ago and ESC away for ten minutes, half an hour ago.
inline status::FreshnessHour MakeHour() {
  using std::chrono::minutes;
  using std::chrono::seconds;
  using State = status::FreshnessMinute::State;
  status::FreshnessHour hour;
  for (std::size_t i = 10; i < hour.size(); ++i) {
    hour[i] = {.state = State::kFresh, .oldest = seconds(9 + i % 3)};
    if (i >= 20 && i < 30) hour[i] = {.state = State::kFailing, .oldest = minutes(i - 19)};
    if (i == 40) hour[i] = {.state = State::kLate, .oldest = seconds(45)};
  }
  return hour;
}

}  // namespace escagent::testing
