#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/store/label_selector.h"
#include "agent/store/secret_store.h"
#include "kube/object.h"
#include "kube/resource.h"

namespace escagent::store {

inline constexpr char kReadyCondition[] = "Ready";

// One element of a store's status.conditions. The time stays text: it is given back as it was.
struct StatusCondition {
  std::string type;
  std::string status;  // "True", "False", "Unknown"
  std::string reason;
  std::string message;
  std::string last_transition_time;

  bool operator==(const StatusCondition&) const = default;
};

struct StoreStatus {
  std::string capabilities;
  std::vector<StatusCondition> conditions;

  // The condition Ready, or null.
  const StatusCondition* Ready() const;
  bool operator==(const StoreStatus&) const = default;
};

// A (Cluster)SecretStore of the API server, as far as the agent uses it. Immutable once shared.
struct StoreObject {
  StoreId id;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  Labels labels;
  // Whether it is this agent's: its provider is pulumi, and its spec.controller empty or our class.
  bool ours = false;
  // Of a store that is not ours only the controller.
  SecretStoreSpec spec;
  // What is wrong with the spec, each as "<field>: <what>"; with any, `spec` is not to be used.
  std::vector<std::string> problems;
  // spec.refreshInterval: how often the store is validated. Zero: the controller's default.
  std::chrono::milliseconds refresh_interval{0};
  StoreStatus status;

  // The problems in one line; empty when there are none.
  std::string ProblemText() const;
  // Whether a condition selects namespaces by their labels.
  bool SelectsByLabel() const;
};

// external-secrets.io/v1.
kube::Resource StoreResource(StoreKind kind);
kube::ObjectKey StoreKey(const StoreId& id);

// Reads status.capabilities and status.conditions of an object; what is not there is empty.
StoreStatus ReadStoreStatus(const nlohmann::json& object);

// Reads a store as the API server gives it. `controller_class` is ours. To the rules of
// ParseSecretStore come those for tokens in Secrets: a key is required, and a ClusterSecretStore's
// reference must have a namespace. Fields of other providers are not looked at.
StoreObject ParseStoreObject(const kube::Object& object, StoreKind kind,
                             std::string_view controller_class);

}  // namespace escagent::store
