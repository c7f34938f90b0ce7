#include "agent/mirror/push_status.h"

#include <utility>

#include "agent/mirror/data_hash.h"
#include "agent/mirror/ready_condition.h"
#include "base/duration.h"
#include "esc/text_limit.h"

namespace escagent::mirror {
namespace {

using nlohmann::json;

// Messages are read in a terminal, and written to etcd for each object.
constexpr std::size_t kMaxMessage = 1024;

PushOutcome NotReady(std::string_view reason, std::string message) {
  PushOutcome outcome;
  outcome.reason = reason;
  outcome.message = esc::LimitText(message, kMaxMessage);
  return outcome;
}

// A merge patch that turns one object of objects into another: what is gone is null.
json Difference(const json& before, const json& after) {
  json patch = after;
  if (!before.is_object()) return patch;
  for (auto it = before.begin(); it != before.end(); ++it) {
    if (!after.contains(it.key())) {
      patch[it.key()] = nullptr;
    } else if (it->is_object() && after[it.key()].is_object()) {
      patch[it.key()] = Difference(*it, after[it.key()]);
    }
  }
  return patch;
}

}  // namespace

PushOutcome Pushed(const PushSecret& push, bool changed, json synced) {
  PushOutcome outcome;
  outcome.ready = true;
  outcome.reason = kReasonPushed;
  outcome.message = "PushSecret synced successfully";
  if (push.spec.update_policy == UpdatePolicy::kIfNotExists) {
    outcome.message += ". Existing secrets in providers unchanged.";
  }
  outcome.changed = changed;
  outcome.synced = std::move(synced);
  return outcome;
}

PushOutcome PushFailed(std::string_view cause) {
  return NotReady(kReasonPushErrored, "set secret failed: " + std::string(cause));
}

PushOutcome PushToStoreFailed(const store::StoreId& store, const Error& error, json synced) {
  PushOutcome outcome =
      NotReady(kReasonPushErrored, "set secret failed: could not write to target secretstore " +
                                       store.name + ": " + error.message);
  outcome.synced = std::move(synced);
  return outcome;
}

PushOutcome SourceMissing(const Error& error) {
  return NotReady(kReasonPushErrored, "could not get source secret: " + error.message);
}

PushOutcome SourceDeleted(std::string_view secret_name, json synced) {
  PushOutcome outcome =
      NotReady(kReasonSourceDeleted, "source secret " + std::string(secret_name) + " was deleted");
  outcome.synced = std::move(synced);
  return outcome;
}

PushOutcome InvalidPushSpec(std::span<const std::string> problems) {
  std::string list;
  for (const std::string& problem : problems) list += (list.empty() ? "" : "; ") + problem;
  return NotReady(kReasonPushErrored, "invalid spec: " + list);
}

std::optional<json> PushStatusPatch(const PushSecret& push, const PushOutcome& outcome,
                                    std::chrono::system_clock::time_point now) {
  const PushSecretStatus& status = push.status;
  json patch = json::object();
  if (auto conditions = ConditionsWithReady(status.conditions, outcome.ready, outcome.reason,
                                            outcome.message, now)) {
    patch["conditions"] = *std::move(conditions);
  }
  const json& before = status.synced;
  if (outcome.synced && *outcome.synced != (before.is_object() ? before : json::object())) {
    patch["syncedPushSecrets"] = Difference(before, *outcome.synced);
  }
  if (outcome.ready) {
    if (std::string version = SyncedResourceVersion(push.generation, push.labels, push.annotations);
        version != status.synced_resource_version) {
      patch["syncedResourceVersion"] = std::move(version);
    }
    if (!patch.empty() || outcome.changed || !status.refresh_time) {
      patch["refreshTime"] = FormatTime(now);
    }
  }
  if (patch.empty()) return std::nullopt;
  return json{{"status", std::move(patch)}};
}

}  // namespace escagent::mirror
