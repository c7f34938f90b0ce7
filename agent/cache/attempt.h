#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>

#include "agent/cache/snapshot.h"
#include "base/result.h"
#include "esc/api.h"
#include "esc/environment_ref.h"
#include "esc/value.h"

namespace escagent::cache {

// What one attempt to bring an environment up to date has to do; decided by EnvironmentState.
struct AttemptPlan {
  bool head = true;        // ask HEAD before opening
  bool must_open = false;  // open whatever HEAD says
  // What HEAD said when the current content was last known to be current.
  std::optional<esc::EnvironmentHead> known;
  // The current content, to compare with. Null before the first success.
  std::shared_ptr<const Snapshot> snapshot;
  std::chrono::seconds session{300};
};

// What ESC answered. Empty: the call was not made.
struct AttemptResult {
  std::optional<Result<esc::EnvironmentHead>> head;
  std::optional<Result<esc::Value>> opened;
  // `opened` equals the plan's snapshot.
  bool same_content = false;
};

// Whether an open has to follow this answer to HEAD. It has to
// - when the answer is a change, or tells nothing (no ETag and no revision);
// - when the server has no HEAD (UNIMPLEMENTED), or denies it to an identity that may still open
//   (HEAD needs environment:read, open needs environment:open);
// - when the environment was never opened and HEAD does not find it: a server without that route
//   answers 404 too, and the open's error tells more.
bool NeedsOpen(const AttemptPlan& plan, const Result<esc::EnvironmentHead>& head);

// What cannot be published: anything but an object, and an environment with values that are not
// known. FAILED_PRECONDITION names the properties.
Status CheckPublishable(const esc::EnvironmentRef& ref, const esc::Value& properties);

// Carries the plan out: HEAD, then open and read the session when needed. HEAD comes first so that
// a change between the two calls is seen by the next HEAD. Blocks for three calls at most.
AttemptResult RunAttempt(esc::Api& api, const esc::EnvironmentRef& ref, const AttemptPlan& plan,
                         const std::stop_token& stop);

}  // namespace escagent::cache
