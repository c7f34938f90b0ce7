#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/cache/probe_table.h"
#include "base/result.h"
#include "esc/api.h"
#include "esc/environment_ref.h"

namespace escagent::cache {

// The environments that an environment takes values from, directly or not, as far as their
// definitions tell.
struct ImportClosure {
  enum class Kind {
    kUnknown,  // not all of it may be read: something may change unseen
    kStatic,   // every change is a new revision of the environment or of a member
    kDynamic   // providers answer in it (fn::open, fn::rotate)
  };
  struct Member {
    esc::EnvironmentRef ref;
    // What HEAD of it says when nothing has changed. Nothing: it does not exist.
    std::optional<esc::EnvironmentHead> head;
  };

  Kind kind = Kind::kUnknown;
  // Without the environment itself and without revision numbers, which never change. Sorted by ref.
  std::vector<Member> members;
  // The shortest life-time that a definition gives to a provider's credentials.
  std::optional<std::chrono::milliseconds> lifetime;

  // Null when it is none.
  const Member* Find(const esc::EnvironmentRef& ref) const;
};

// How old values may become although no HEAD has told of a change, by what the closure is. Zero: no
// such limit.
struct MaxAge {
  std::chrono::milliseconds known{std::chrono::hours(24)};      // kStatic
  std::chrono::milliseconds dynamic{std::chrono::minutes(5)};   // kDynamic
  std::chrono::milliseconds unknown{std::chrono::minutes(10)};  // kUnknown
};

// More members than this are not followed: the closure is then of kind kUnknown.
inline constexpr std::size_t kMaxClosureMembers = 200;

// Learns the closure of the environment `root` by its definition and those of its imports; each is
// read once a revision, whoever imports it (ProbeTable). An import that may not be read (403) stays
// a member, and makes the closure kUnknown. When `root` itself may not be read its members are the
// environments that the values of the open session `session_id` come from.
//
// Other errors are ESC's own. Blocks for one call for each definition that is new.
Result<ImportClosure> LearnClosure(ProbeTable& probes, esc::Api& api, const EnvironmentKey& root,
                                   const std::string& session_id, const std::stop_token& stop);

}  // namespace escagent::cache
