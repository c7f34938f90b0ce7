#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "agent/cache/environment_cache.h"
#include "agent/store/store_registry.h"
#include "agent/volume/volume_attributes.h"
#include "base/clock.h"
#include "base/result.h"
#include "esc/api.h"

namespace escagent::volume {

using store::ApiFactory;

// Where a volume's values come from now: a store's answer, as the cache needs it.
struct VolumeSource {
  std::string store_name;  // for messages
  cache::EnvironmentKey key;
  std::shared_ptr<esc::Api> api;
};

// Asks stores and the cache on behalf of volumes. Borrows both; thread-safe.
class SourceFinder {
 public:
  SourceFinder(store::StoreRegistry& stores, cache::EnvironmentCache& cache,
               ApiFactory api_factory);

  // What a store's answer, or a pod's own identity, comes to.
  VolumeSource Make(store::ResolvedStore resolved) const;
  // The store's own errors: NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED.
  Result<VolumeSource> Find(const std::string& namespace_name, const StoreName& store) const;

  // Blocks while the environment is opened, if it is not in the cache. ESC being slow
  // (DEADLINE_EXCEEDED) is UNAVAILABLE like ESC being down, so that kubelet tries again.
  Result<cache::Subscription> Subscribe(const VolumeSource& source,
                                        const VolumeAttributes& attributes,
                                        std::function<void()> on_change,
                                        std::stop_token stop) const;
  // The same without blocking, for who asks again and again since then: while the environment is
  // being opened UNAVAILABLE with a retry_after (EnvironmentCache::Request::since).
  Result<cache::Subscription> TrySubscribe(const VolumeSource& source,
                                           const VolumeAttributes& attributes,
                                           std::function<void()> on_change,
                                           Clock::TimePoint since) const;

 private:
  Result<cache::Subscription> Subscribe(cache::EnvironmentCache::Request request,
                                        const VolumeSource& source, std::stop_token stop) const;

  store::StoreRegistry& stores_;
  cache::EnvironmentCache& cache_;
  const ApiFactory api_factory_;
};

}  // namespace escagent::volume
