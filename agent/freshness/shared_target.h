#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "esc/api.h"
#include "esc/environment_ref.h"

namespace escagent::freshness {

// What one agent asks ESC for in the name of all: an environment, seen with the token of a store.
struct SharedTarget {
  std::string backend;  // base URL
  esc::EnvironmentRef ref;
  std::string store;  // "SecretStore default/app"; never its token

  // 16 hexadecimal digits, the same for all agents.
  std::string Id() const;
  // By the environment without its version, so that its versions and stores are one agent's.
  int ShardOf(int shards) const;
  // Of its names, together.
  std::size_t TextSize() const;

  auto operator<=>(const SharedTarget&) const = default;
};

// A target that somebody has asked for; `seen`: when somebody last did, by the clock of its node.
// It is compared with what it was before, never with another node's clock.
struct Registration {
  SharedTarget target;
  Clock::WallTime seen{};

  bool operator==(const Registration&) const = default;
};

// What ESC says of a target.
struct SharedAnswer {
  enum class State {
    kOk,
    kAbsent,  // 404
    kDenied,  // the store's token may not, or HEAD does not work: everybody is to ask by itself
    kFailing  // ESC does not answer
  };
  State state = State::kFailing;
  esc::EnvironmentHead head;  // with kOk

  bool operator==(const SharedAnswer&) const = default;
};

// The object that the agents of a cluster tell each other of a shard's targets with: a ConfigMap
// esc-agent-probes-N, whose data is
//   t.<id>  a registration
//   a.<id>  an answer
//   holder  the holder of the shard's lease who vouches for the answers
inline constexpr char kProbesPrefix[] = "esc-agent-probes-";
inline constexpr char kProbesLabel[] = "esc-agent.io/probes";
inline constexpr char kTargetKey[] = "t.";
inline constexpr char kAnswerKey[] = "a.";
inline constexpr char kHolderKey[] = "holder";
inline constexpr int kProbeShards = 4;
// The object's limit is 1 MiB (Kubernetes API, "ConfigMap"). Targets are registered while it is
// below this, which leaves room for their answers; the others are asked for by each agent.
inline constexpr std::size_t kMaxShardBytes = 600'000;
// A target with longer names is not shared.
inline constexpr std::size_t kMaxTargetBytes = 1024;
using ShardData = std::map<std::string, std::string>;

std::string ToText(const Registration& registration);
std::string ToText(const SharedAnswer& answer);
// Nothing when the text is none.
std::optional<Registration> ParseRegistration(std::string_view text);
std::optional<SharedAnswer> ParseAnswer(std::string_view text);

}  // namespace escagent::freshness
