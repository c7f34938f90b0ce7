#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/mirror/external_secret.h"
#include "agent/mirror/secret_diff.h"
#include "base/result.h"

namespace escagent::mirror {

// Reasons of the condition Ready, and of events (eso-compat.md 1.5).
inline constexpr char kReasonSynced[] = "SecretSynced";
inline constexpr char kReasonDeleted[] = "SecretDeleted";
inline constexpr char kReasonMissing[] = "SecretMissing";
inline constexpr char kReasonSyncedError[] = "SecretSyncedError";
inline constexpr char kEventCreated[] = "Created";
inline constexpr char kEventUpdated[] = "Updated";
inline constexpr char kEventDeleted[] = "Deleted";
inline constexpr char kEventMissingProviderSecret[] = "MissingProviderSecret";
inline constexpr char kEventUpdateFailed[] = "UpdateFailed";
inline constexpr char kEventComponent[] = "external-secrets";

// How a synchronisation ended, for the status.
struct SyncOutcome {
  bool ready = false;
  std::string reason;
  std::string message;
  // The Secret's data was written: refreshTime moves.
  bool data_changed = false;
  // status.binding; empty: unchanged.
  std::string binding_name;
};

SyncOutcome Synced(const ExternalSecret& object, bool data_changed);
SyncOutcome Retained();
SyncOutcome Deleted(bool data_changed);
SyncOutcome Missing();

// What failed. Each has ESO's text, which the cause follows.
enum class FailedStep {
  kSpec,     // the object itself
  kSource,   // "could not get secret data from provider"
  kUpdate,   // "could not update secret"
  kDelete,   // "could not delete secret"
  kOrphans,  // "could not delete orphaned secrets"
};
SyncOutcome Failed(FailedStep step, const Error& error);
// The outcome of a kRefuse.
SyncOutcome Refused(RefusalReason reason, const Error& error);
// The outcome of an object with spec_problems.
SyncOutcome InvalidSpec(std::span<const std::string> problems);

// What follows when nothing is left to show: no key came out of any entry.
enum class EmptyData {
  kWrite,   // there are keys, or deletionPolicy Merge: go on
  kRetain,  // leave the Secret alone: Retained()
  kDelete,  // DecideDeletion(), then Deleted()
};
EmptyData OnEmptyData(const ExternalSecretSpec& spec, const SecretData& data);

// The merge patch (RFC 7386) of the status subresource that brings an object to this outcome, or
// nothing when the status says so already. refreshTime moves only with the status of Ready, its
// reason or message, the data, or syncedResourceVersion, and only when ready; lastTransitionTime
// only when the status of Ready flips. Conditions of other types are kept.
std::optional<nlohmann::json> StatusPatch(const ExternalSecret& object, const SyncOutcome& outcome,
                                          std::chrono::system_clock::time_point now);

}  // namespace escagent::mirror
