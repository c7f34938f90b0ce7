#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/cache/import_closure.h"
#include "agent/cache/probe_table.h"
#include "agent/cache/snapshot.h"
#include "base/clock.h"
#include "base/result.h"
#include "esc/api.h"
#include "esc/environment_ref.h"
#include "esc/value.h"

namespace escagent::cache {

// What one attempt to bring an environment up to date has to do; decided by EnvironmentState.
struct AttemptPlan {
  bool head = true;        // ask HEAD before opening
  bool must_open = false;  // open whatever HEAD says
  // How old an answer to HEAD may be that somebody else got (ProbeTable::Head).
  Clock::TimePoint not_before{};
  // What other agents know is new enough.
  bool accept_shared = true;
  // What HEAD said when the current content was last known to be current.
  std::optional<esc::EnvironmentHead> known;
  // The environments that it takes values from, each with what HEAD of it said then.
  std::vector<ImportClosure::Member> members;
  // The current content, to compare with. Null before the first success.
  std::shared_ptr<const Snapshot> snapshot;
  std::chrono::seconds session{300};
};

// What ESC answered. Empty: the call was not made.
struct AttemptResult {
  std::optional<Result<esc::EnvironmentHead>> head;
  // What HEAD says of the member that is another one than before; the rest was not asked then.
  std::optional<ImportClosure::Member> changed_member;
  // HEAD of these is not permitted.
  std::vector<esc::EnvironmentRef> hidden_members;
  // Why a member could not be looked at: whether something has changed is not known.
  std::optional<Error> member_error;
  std::optional<Result<esc::Value>> opened;
  std::string session_id;  // of what was opened
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

// Carries the plan out: HEAD of the environment, then of its imports up to the first that has
// changed, then open and read the session when something has. HEAD comes first so that a change
// between the calls is seen by the next HEAD. Blocks for these calls.
AttemptResult RunAttempt(ProbeTable& probes, esc::Api& api, const EnvironmentKey& target,
                         const AttemptPlan& plan, const std::stop_token& stop);

}  // namespace escagent::cache
