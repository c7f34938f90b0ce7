#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "agent/mirror/secret_template.h"
#include "agent/mirror/strategies.h"
#include "agent/mirror/sync_window.h"
#include "agent/store/secret_store.h"

namespace escagent::mirror {

// spec of an ExternalSecret as far as provider pulumi uses it (reference: eso-compat.md 1.2). Kept
// for each of thousands of objects, so parts that few have are behind pointers. Move-only plain
// data; immutable once shared.

enum class RefreshPolicy { kPeriodic, kOnChange, kCreatedOnce };
enum class CreationPolicy { kOwner, kOrphan, kMerge, kNone, kCreateOrMerge };
enum class DeletionPolicy { kRetain, kDelete, kMerge };

// data[].remoteRef and dataFrom[].extract. `property`, `version` and `metadataPolicy` mean nothing
// to provider pulumi and are not kept.
struct RemoteRef {
  std::string key;  // an ESC property path; empty: the whole of `values`
  ConversionStrategy conversion = ConversionStrategy::kDefault;
  DecodingStrategy decoding = DecodingStrategy::kNone;
  NullBytePolicy null_bytes = NullBytePolicy::kIgnore;
};

// dataFrom[].find: the keys of one object of the environment.
struct FindQuery {
  std::string path;         // property path of the object; empty: the whole of `values`
  std::string name_regexp;  // RE2, unanchored; empty: every key
  bool has_tags = false;    // which environments do not have: always an error
  ConversionStrategy conversion = ConversionStrategy::kDefault;
  DecodingStrategy decoding = DecodingStrategy::kNone;
  NullBytePolicy null_bytes = NullBytePolicy::kIgnore;
};

// dataFrom[].rewrite[]: one of three.
struct RegexpRewrite {
  std::string source;  // RE2
  std::string target;  // with $1, ${name}
};
struct TransformRewrite {
  std::string key_template;  // over .value, the key
};
struct MergeRewrite {
  enum class Strategy { kExtract, kJson };
  Strategy strategy = Strategy::kExtract;
  std::string into = {};  // the key of the JSON; with kJson only
  std::vector<std::string> priority = {};
  bool ignore_missing_priority = false;  // priorityPolicy IgnoreNotFound
  bool ignore_conflicts = false;         // conflictPolicy Ignore
};
using RewriteRule = std::variant<RegexpRewrite, TransformRewrite, MergeRewrite>;

struct DataEntry {
  std::string secret_key;
  RemoteRef remote;
  std::unique_ptr<store::StoreId> source;  // null: the spec's store
};

struct DataFromEntry {
  std::variant<RemoteRef, FindQuery> query;
  std::vector<RewriteRule> rewrite;
  std::unique_ptr<store::StoreId> source;  // null: the spec's store
};

struct ExternalSecretSpec {
  // Its name is empty when every entry has a source of its own.
  store::StoreId store;
  RefreshPolicy refresh_policy = RefreshPolicy::kPeriodic;
  // Zero (or less) with kPeriodic: the Secret is made once (RefreshesPeriodically()).
  std::chrono::milliseconds refresh_interval = std::chrono::hours(1);
  std::unique_ptr<const SyncWindows> sync_windows;  // null: always

  std::string target_name;  // never empty: defaults to the ExternalSecret's name
  CreationPolicy creation_policy = CreationPolicy::kOwner;
  DeletionPolicy deletion_policy = DeletionPolicy::kRetain;
  bool immutable = false;
  std::unique_ptr<const SecretTemplate> secret_template;  // null: none

  std::vector<DataEntry> data;
  std::vector<DataFromEntry> data_from;

  // All stores that the entries use.
  std::set<store::StoreId> StoresUsed() const;
  bool RefreshesPeriodically() const {
    return refresh_policy == RefreshPolicy::kPeriodic && refresh_interval.count() > 0;
  }
};

}  // namespace escagent::mirror
