#include "agent/volume/volume_source.h"

#include <utility>

namespace escagent::volume {
namespace {

cache::EnvironmentCache::Request MakeRequest(const VolumeSource& source,
                                             const VolumeAttributes& attributes,
                                             std::function<void()> on_change) {
  cache::EnvironmentCache::Request request;
  request.key = source.key;
  request.api = source.api;
  request.interval = attributes.refresh_interval;
  request.on_change = std::move(on_change);
  return request;
}

}  // namespace

SourceFinder::SourceFinder(store::StoreRegistry& stores, cache::EnvironmentCache& cache,
                           ApiFactory api_factory)
    : stores_(stores), cache_(cache), api_factory_(std::move(api_factory)) {}

Result<VolumeSource> SourceFinder::Find(const std::string& namespace_name,
                                        const StoreName& store) const {
  ESC_ASSIGN_OR_RETURN(store::ResolvedStore resolved,
                       store.cluster ? stores_.ClusterSecretStore(namespace_name, store.name)
                                     : stores_.SecretStore(namespace_name, store.name));
  return Make(std::move(resolved));
}

VolumeSource SourceFinder::Make(store::ResolvedStore resolved) const {
  VolumeSource source;
  source.api = api_factory_(resolved);
  source.store_name = std::move(resolved.name);
  source.key = {.backend = std::move(resolved.api_url),
                .ref = std::move(resolved.ref),
                .identity = std::move(resolved.identity)};
  return source;
}

Result<cache::Subscription> SourceFinder::Subscribe(const VolumeSource& source,
                                                    const VolumeAttributes& attributes,
                                                    std::function<void()> on_change,
                                                    std::stop_token stop) const {
  return Subscribe(MakeRequest(source, attributes, std::move(on_change)), source, std::move(stop));
}

Result<cache::Subscription> SourceFinder::TrySubscribe(const VolumeSource& source,
                                                       const VolumeAttributes& attributes,
                                                       std::function<void()> on_change,
                                                       Clock::TimePoint since) const {
  cache::EnvironmentCache::Request request = MakeRequest(source, attributes, std::move(on_change));
  request.since = since;
  return Subscribe(std::move(request), source, {});
}

Result<cache::Subscription> SourceFinder::Subscribe(cache::EnvironmentCache::Request request,
                                                    const VolumeSource& source,
                                                    std::stop_token stop) const {
  Result<cache::Subscription> subscription = cache_.Subscribe(std::move(request), std::move(stop));
  if (subscription) return subscription;
  Error error = Annotate(std::move(subscription).error(),
                         source.store_name + ": environment " + source.key.ref.ToString());
  if (error.code == Code::kDeadlineExceeded || error.code == Code::kCancelled) {
    error.code = Code::kUnavailable;
  }
  return std::unexpected(std::move(error));
}

}  // namespace escagent::volume
