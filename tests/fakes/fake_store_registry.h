#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/store/store_registry.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/strings.h"

namespace escagent::testing {

// Stores in memory. Namespaced ones are known by "namespace/name", cluster ones by "name". Counts
// the look-ups. Thread-safe.
class FakeStoreRegistry final : public store::StoreRegistry {
 public:
  // Creates the store or replaces it: another token is another identity.
  void SetStore(const std::string& name, const std::string& environment, const std::string& token)
      EXCLUDES(mutex_) {
    store::ResolvedStore resolved;
    const bool cluster = name.find('/') == std::string::npos;
    resolved.name = (cluster ? "ClusterSecretStore " : "SecretStore ") + name;
    resolved.api_url = "https://esc.example/api/esc";
    resolved.ref = esc::EnvironmentRef::Parse(environment).value();
    resolved.token = std::make_shared<const Secret>(std::string_view(token));
    resolved.identity = Sha256Hex(token);
    MutexLock lock(mutex_);
    stores_.insert_or_assign(name, std::move(resolved));
  }
  // Every later look-up fails with this; std::nullopt ends it.
  void Fail(std::optional<Error> error) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    error_ = std::move(error);
  }
  int Lookups() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return lookups_;
  }

  Result<store::ResolvedStore> SecretStore(const std::string& namespace_name,
                                           const std::string& name) override EXCLUDES(mutex_) {
    return Find(namespace_name + "/" + name);
  }
  Result<store::ResolvedStore> ClusterSecretStore(const std::string& /*namespace_name*/,
                                                  const std::string& name) override
      EXCLUDES(mutex_) {
    return Find(name);
  }

 private:
  Result<store::ResolvedStore> Find(const std::string& name) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    ++lookups_;
    if (error_) return std::unexpected(*error_);
    const auto it = stores_.find(name);
    if (it == stores_.end()) return NotFound("store " + name + ": there is none");
    return it->second;
  }

  mutable Mutex mutex_;
  std::map<std::string, store::ResolvedStore> stores_ GUARDED_BY(mutex_);
  std::optional<Error> error_ GUARDED_BY(mutex_);
  int lookups_ GUARDED_BY(mutex_) = 0;
};

}  // namespace escagent::testing
