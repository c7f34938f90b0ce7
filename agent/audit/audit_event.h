#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "csi/volume_service.h"

namespace escagent::audit {

// The process that opened a file, as FUSE names it.
struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};

// One line of the audit log: names and numbers, never a value or a token.
struct AuditEvent {
  enum class Kind {
    kMount,    // a pod got a volume, or was denied it
    kUnmount,  // its volume is gone
    kOpen,     // a process opened a file, or was denied it
    kLost,     // `count` events before this one were lost: they came faster than they were written
  };

  Kind kind = Kind::kOpen;
  std::chrono::system_clock::time_point time{};
  bool allowed = true;
  std::string reason{};  // why not; of no meaning when allowed
  std::string volume_id{};
  csi::PodInfo pod{};
  std::string store{};        // "SecretStore default/app"
  std::string environment{};  // "org/project/env[@version]"
  // Of kOpen only.
  std::string revision{};  // ESC's number of the revision that the bytes come from; may be unknown
  std::string key{};       // ESC property path: "app.db[0]"
  std::string file{};      // in the volume: "app/db/0"
  std::optional<Caller> caller{};
  std::uint64_t count = 0;  // of kLost only
};

// The event as one JSON object in one line, with a line break at its end. Times are RFC 3339 with
// milliseconds, in UTC. What is empty is left out. `node` is this node's name.
std::string ToJsonLine(const AuditEvent& event, std::string_view node);

}  // namespace escagent::audit
