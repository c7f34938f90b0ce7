#include "agent/mirror/external_secret_status.h"

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

std::string_view StepText(FailedStep step) {
  switch (step) {
    case FailedStep::kSpec:
      return "invalid spec";
    case FailedStep::kSource:
      return "could not get secret data from provider";
    case FailedStep::kUpdate:
      return "could not update secret";
    case FailedStep::kDelete:
      return "could not delete secret";
    case FailedStep::kOrphans:
      return "could not delete orphaned secrets";
  }
  return "could not update secret";
}

std::string_view RefusalText(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kOwnedByAnotherExternalSecret:
      return "target is owned by another ExternalSecret";
    case RefusalReason::kForeignOwner:
      return "failed to take ownership of target secret";
    case RefusalReason::kImmutable:
      return "could not update secret, target is immutable";
    case RefusalReason::kTypeChange:
      return "could not update secret";
    case RefusalReason::kNotOurs:
      return "could not delete secret";
  }
  return "could not update secret";
}

SyncOutcome ReadyOutcome(std::string_view reason, std::string_view message) {
  SyncOutcome outcome;
  outcome.ready = true;
  outcome.reason = reason;
  outcome.message = message;
  return outcome;
}

SyncOutcome FailedOutcome(std::string_view text, std::string_view cause) {
  SyncOutcome outcome;
  outcome.reason = kReasonSyncedError;
  outcome.message = esc::LimitText(std::string(text) + ": " + std::string(cause), kMaxMessage);
  return outcome;
}

}  // namespace

SyncOutcome Synced(const ExternalSecret& object, bool data_changed) {
  SyncOutcome outcome = ReadyOutcome(kReasonSynced, "secret synced");
  outcome.data_changed = data_changed;
  if (object.spec.creation_policy != CreationPolicy::kNone) {
    outcome.binding_name = object.target_name();
  }
  return outcome;
}

SyncOutcome Retained() {
  return ReadyOutcome(kReasonSynced, "secret retained due to DeletionPolicy=Retain");
}

SyncOutcome Deleted(bool data_changed) {
  SyncOutcome outcome = ReadyOutcome(kReasonDeleted, "secret deleted due to DeletionPolicy=Delete");
  outcome.data_changed = data_changed;
  return outcome;
}

SyncOutcome Missing() {
  return ReadyOutcome(kReasonMissing, "secret will not be created due to CreationPolicy=Merge");
}

SyncOutcome Failed(FailedStep step, const Error& error) {
  return FailedOutcome(StepText(step), error.message);
}

SyncOutcome Refused(RefusalReason reason, const Error& error) {
  return FailedOutcome(RefusalText(reason), error.message);
}

SyncOutcome InvalidSpec(std::span<const std::string> problems) {
  std::string list;
  for (const std::string& problem : problems) list += (list.empty() ? "" : "; ") + problem;
  return FailedOutcome(StepText(FailedStep::kSpec), list);
}

EmptyData OnEmptyData(const ExternalSecretSpec& spec, const SecretData& data) {
  if (!data.empty()) return EmptyData::kWrite;
  switch (spec.deletion_policy) {
    case DeletionPolicy::kRetain:
      return EmptyData::kRetain;
    case DeletionPolicy::kDelete:
      return EmptyData::kDelete;
    case DeletionPolicy::kMerge:
      break;
  }
  return EmptyData::kWrite;
}

std::optional<json> StatusPatch(const ExternalSecret& object, const SyncOutcome& outcome,
                                std::chrono::system_clock::time_point now) {
  const ExternalSecretStatus& status = object.status;
  json patch = json::object();
  if (std::optional<json> conditions = ConditionsWithReady(status.conditions, outcome.ready,
                                                           outcome.reason, outcome.message, now)) {
    patch["conditions"] = *std::move(conditions);
  }
  if (outcome.ready) {
    if (std::string version = SyncedResourceVersion(object);
        version != status.synced_resource_version) {
      patch["syncedResourceVersion"] = std::move(version);
    }
    if (!outcome.binding_name.empty() && outcome.binding_name != status.binding_name) {
      patch["binding"] = {{"name", outcome.binding_name}};
    }
    if (!patch.empty() || outcome.data_changed || !status.refresh_time) {
      patch["refreshTime"] = FormatTime(now);
    }
  }
  if (patch.empty()) return std::nullopt;
  return json{{"status", std::move(patch)}};
}

}  // namespace escagent::mirror
