#pragma once

#include <string_view>

namespace escagent {

// The name of a field in a log line. Only the constants below exist, so that one thing has one
// name everywhere and a list of what can be in a log is this file.
class LogKey {
 public:
  constexpr explicit LogKey(std::string_view name) : name_(name) {}
  constexpr std::string_view Name() const { return name_; }

 private:
  std::string_view name_;
};

namespace log_key {
inline constexpr LogKey kAddress{"address"};
inline constexpr LogKey kAttempt{"attempt"};
inline constexpr LogKey kCode{"code"};
inline constexpr LogKey kCount{"count"};
inline constexpr LogKey kDelay{"delay"};
inline constexpr LogKey kDriver{"driver"};
inline constexpr LogKey kDuration{"duration"};
inline constexpr LogKey kEndpoint{"endpoint"};
inline constexpr LogKey kEnvironment{"environment"};
inline constexpr LogKey kError{"error"};
inline constexpr LogKey kFile{"file"};
inline constexpr LogKey kGeneration{"generation"};
inline constexpr LogKey kIdentity{"identity"};
inline constexpr LogKey kMethod{"method"};
inline constexpr LogKey kNamespace{"namespace"};
inline constexpr LogKey kNode{"node"};
inline constexpr LogKey kPath{"path"};
inline constexpr LogKey kPod{"pod"};
inline constexpr LogKey kPodUid{"podUid"};
inline constexpr LogKey kRequestId{"requestId"};
inline constexpr LogKey kRevision{"revision"};
inline constexpr LogKey kShard{"shard"};
inline constexpr LogKey kSignal{"signal"};
inline constexpr LogKey kStatus{"status"};
inline constexpr LogKey kStore{"store"};
inline constexpr LogKey kTarget{"targetPath"};
inline constexpr LogKey kVersion{"version"};
inline constexpr LogKey kVolume{"volumeId"};
}  // namespace log_key

}  // namespace escagent
