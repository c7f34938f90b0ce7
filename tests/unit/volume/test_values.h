#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "agent/cache/snapshot.h"
#include "esc/value.h"
#include "tests/fakes/fake_esc_api.h"

namespace escagent::volume {

// The value of a plain JSON object.
inline esc::Value ValueOfJson(std::string_view json) {
  testing::FakeEscApi api;
  api.SetEnvironmentJson("acme/web/dev", json);
  const esc::EnvironmentRef ref = *esc::EnvironmentRef::Parse("acme/web/dev");
  const auto session = api.Open(ref, std::chrono::seconds(60), {});
  return *api.ReadSession(ref, session.value().id, {});
}

inline std::shared_ptr<const cache::Snapshot> SnapshotOf(esc::Value properties) {
  auto snapshot = std::make_shared<cache::Snapshot>();
  snapshot->properties = std::move(properties);
  return snapshot;
}

inline std::shared_ptr<const cache::Snapshot> SnapshotOfJson(std::string_view json) {
  return SnapshotOf(ValueOfJson(json));
}

inline esc::Value Text(std::string_view text) { return esc::Value::String(Secret(text)); }

}  // namespace escagent::volume
