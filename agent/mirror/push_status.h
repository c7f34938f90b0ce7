#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/mirror/push_secret.h"
#include "agent/store/secret_store.h"
#include "base/result.h"

namespace escagent::mirror {

// Reasons of a PushSecret's condition Ready, and of its events (eso-compat.md 1.7).
inline constexpr char kReasonPushed[] = "Synced";
inline constexpr char kReasonPushErrored[] = "Errored";
inline constexpr char kReasonSourceDeleted[] = "SourceDeleted";

// How a push ended, for the status.
struct PushOutcome {
  bool ready = false;
  std::string reason;
  std::string message;
  // A definition was changed: refreshTime moves.
  bool changed = false;
  // status.syncedPushSecrets as it is now; nothing: unchanged.
  std::optional<nlohmann::json> synced;
};

// All stores have what they should. `synced` has an entry for each of them.
PushOutcome Pushed(const PushSecret& push, bool changed, nlohmann::json synced);
// Something failed before a store was reached: the spec, a template, the items.
PushOutcome PushFailed(std::string_view cause);
// One store could not be read or written. The others may have been: `synced` tells.
PushOutcome PushToStoreFailed(const store::StoreId& store, const Error& error,
                              nlohmann::json synced);
// The source Secret does not exist and never did, or could not be read.
PushOutcome SourceMissing(const Error& error);
// It is gone, and with deletionPolicy Delete so is what was pushed from it.
PushOutcome SourceDeleted(std::string_view secret_name, nlohmann::json synced);
// The outcome of an object with spec_problems.
PushOutcome InvalidPushSpec(std::span<const std::string> problems);

// The merge patch (RFC 7386) of the status subresource that brings an object to this outcome, or
// nothing when the status says so already; see StatusPatch() of external_secret_status.h.
std::optional<nlohmann::json> PushStatusPatch(const PushSecret& push, const PushOutcome& outcome,
                                              std::chrono::system_clock::time_point now);

}  // namespace escagent::mirror
