#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/mirror/external_secret.h"
#include "agent/mirror/external_secret_spec.h"
#include "agent/mirror/secret_template.h"
#include "agent/mirror/string_map.h"
#include "agent/store/label_selector.h"
#include "agent/store/secret_store.h"
#include "base/result.h"
#include "esc/property_path.h"

namespace escagent::mirror {

inline constexpr char kPushSecretKind[] = "PushSecret";
inline constexpr char kPushSecretApiVersion[] = "external-secrets.io/v1alpha1";
// Held while deletionPolicy is Delete, so that what was pushed can be removed.
inline constexpr char kPushSecretFinalizer[] = "pushsecret.externalsecrets.io/finalizer";

enum class UpdatePolicy { kReplace, kIfNotExists };
enum class PushDeletionPolicy { kNone, kDelete };

// One store by its name, or several by their labels.
struct PushStoreRef {
  store::StoreId id;  // its name is empty with a selector
  std::optional<store::LabelSelector> selector;

  // Whether this means a store, which has these labels. SecretStores of other namespaces are never
  // meant.
  bool Means(const store::StoreId& candidate, const store::Labels& labels) const;
};

// Where a value is written: remoteKey is an ESC property path below `values` (app.password,
// app["a.b"]), and property, which may be empty, a further part of it.
struct PushTarget {
  std::string remote_key;
  std::string property;
  esc::PropertyPath path;  // both together
};

// data[]: one key of the Secret, or all of them as members of one object.
struct PushEntry {
  std::string secret_key;  // empty: all
  PushTarget target;
  bool reverse_unicode = false;  // _U0041_ in keys of the Secret stands for the character
};

// dataTo[]: the keys that match, under rewritten names; each a property path of its own, or all of
// them members of one object.
struct PushAll {
  PushStoreRef store;
  std::string regexp;                // RE2, unanchored; empty: every key
  std::vector<RewriteRule> rewrite;  // no MergeRewrite
  std::optional<PushTarget> target;  // the object; nothing: each key is a remoteKey
  bool reverse_unicode = false;
};

// spec of a PushSecret (reference: eso-compat.md 1.7). Move-only plain data.
struct PushSecretSpec {
  std::chrono::milliseconds refresh_interval = std::chrono::hours(1);
  std::vector<PushStoreRef> stores;
  UpdatePolicy update_policy = UpdatePolicy::kReplace;
  PushDeletionPolicy deletion_policy = PushDeletionPolicy::kNone;
  // The source: one Secret by its name, or several by their labels, of the object's namespace.
  std::string secret_name;
  std::optional<store::LabelSelector> secret_selector;
  std::vector<PushEntry> data;
  std::vector<PushAll> data_to;
  std::optional<SecretTemplate> secret_template;
};

struct PushSecretStatus {
  std::vector<Condition> conditions;
  std::optional<std::chrono::system_clock::time_point> refresh_time;
  std::string synced_resource_version;
  // {"<kind>/<name of a store>": {"<remoteKey>[/<property>]": element of data[]}}; null when
  // absent.
  nlohmann::json synced;
};

// A PushSecret, read once from the API server's JSON. Move-only; immutable once shared.
struct PushSecret : ObjectMeta {
  PushSecretSpec spec;
  PushSecretStatus status;
  // What is wrong with the spec, each as "<field>: <what>". With any, `spec` is not to be acted on.
  std::vector<std::string> spec_problems;
};

// Reads a PushSecret of version v1alpha1. INVALID_ARGUMENT only when the object has no identity
// (kind, namespace, name, uid); everything else is in `spec_problems`. A generatorRef is a problem:
// generators are not served.
Result<PushSecret> ParsePushSecret(const nlohmann::json& object);

// The path of remoteKey and property. INVALID_ARGUMENT when they are none, or begin with an index.
Result<PushTarget> MakePushTarget(std::string remote_key, std::string property);

}  // namespace escagent::mirror
