#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "kube/api.h"
#include "kube/informer.h"

namespace escagent::testing {

// Objects in memory behind kube::Api and kube::Informers, without HTTP, threads or time: for tests
// that drive time by hand. resourceVersions count up, writes with an old one are ABORTED, and a
// write that changes nothing is none. What informers are told is told on the thread that wrote,
// before the write returns, unless another thread is telling the same informer just then.
//
// Known of selectors: "key", "metadata.name=NAME" and "spec.nodeName=NODE". Patches are merge
// patches. Thread-safe.
class FakeCluster {
 public:
  class Client;

  FakeCluster() = default;
  FakeCluster(const FakeCluster&) = delete;
  FakeCluster& operator=(const FakeCluster&) = delete;

  // Creates or replaces an object, as a user would: a changed spec is a new generation.
  void Put(const kube::Resource& resource, nlohmann::json object) EXCLUDES(mutex_);
  void Remove(const kube::Resource& resource, const kube::ObjectKey& key) EXCLUDES(mutex_);
  // Null when there is none.
  nlohmann::json Get(const kube::Resource& resource, const kube::ObjectKey& key) const
      EXCLUDES(mutex_);
  // Writes that clients have made, as "patch secretstores a/b status".
  std::vector<std::string> Writes() const EXCLUDES(mutex_);

 private:
  using ResourceKey = std::pair<std::string, std::string>;  // group, plural
  using Id = std::pair<ResourceKey, kube::ObjectKey>;
  struct Watch;
  class Handle;

  Result<nlohmann::json> Store(const kube::Resource& resource, const kube::ObjectKey& key,
                               nlohmann::json object, bool status) REQUIRES(mutex_);
  // Adds what the watch of the object's kind is to be told.
  void Tell(const Id& id, const nlohmann::json* object) REQUIRES(mutex_);
  // Tells the watches what they have not been told, without locks.
  void Pump() EXCLUDES(mutex_);
  void Pump(const std::shared_ptr<Watch>& watch) EXCLUDES(mutex_);
  static bool Selects(const Watch& watch, const Id& id, const nlohmann::json* object);

  mutable Mutex mutex_;
  CondVar told_;
  std::map<Id, nlohmann::json> objects_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Watch>> watches_ GUARDED_BY(mutex_);
  std::vector<std::string> writes_ GUARDED_BY(mutex_);
  std::uint64_t version_ GUARDED_BY(mutex_) = 0;
};

// One agent's access. It can be cut off: calls are UNAVAILABLE, and informers hear nothing until it
// is back.
class FakeCluster::Client final : public kube::Api, public kube::Informers {
 public:
  explicit Client(FakeCluster& cluster) : cluster_(cluster) {}

  void Cut(bool cut) EXCLUDES(cluster_.mutex_);
  // Asked before each call ("get", "replace", ...): an error is its answer. Empty: none.
  void SetFault(std::function<Status(std::string_view verb, const kube::ObjectKey& key)> fault)
      EXCLUDES(cluster_.mutex_);
  int Calls(const std::string& verb) const EXCLUDES(cluster_.mutex_);

  Result<kube::Object> Get(const kube::Resource& resource, const kube::ObjectKey& key,
                           const kube::CallOptions& options) override;
  Result<kube::Object> GetMetadata(const kube::Resource& resource, const kube::ObjectKey& key,
                                   const kube::CallOptions& options) override;
  Result<kube::ListPage> List(const kube::Resource& resource, const kube::ListOptions& list,
                              const kube::CallOptions& options) override;
  Result<kube::Object> Create(const kube::Resource& resource, const kube::Object& object,
                              const kube::CallOptions& options) override;
  Result<kube::Object> Replace(const kube::Resource& resource, const kube::Object& object,
                               const kube::CallOptions& options) override;
  Result<kube::Object> Patch(const kube::Resource& resource, const kube::ObjectKey& key,
                             kube::PatchType type, const kube::Object& patch,
                             std::string_view subresource,
                             const kube::CallOptions& options) override;
  Status Delete(const kube::Resource& resource, const kube::ObjectKey& key,
                const kube::Preconditions& preconditions,
                const kube::CallOptions& options) override;
  Result<kube::Object> CreateSubresource(const kube::Resource& resource, const kube::ObjectKey& key,
                                         std::string_view subresource, const kube::Object& object,
                                         const kube::CallOptions& options) override;
  kube::InformerHandle Start(kube::Selection selection,
                             std::shared_ptr<kube::InformerHandler> handler) override;

 private:
  friend class FakeCluster;
  Status Begin(const std::string& verb, const kube::ObjectKey& key) EXCLUDES(cluster_.mutex_);
  void NoteWrite(const std::string& verb, const kube::Resource& resource,
                 const kube::ObjectKey& key, std::string_view subresource)
      REQUIRES(cluster_.mutex_);

  FakeCluster& cluster_;
  std::atomic<bool> cut_ = false;
  std::function<Status(std::string_view, const kube::ObjectKey&)> fault_
      GUARDED_BY(cluster_.mutex_);
  std::map<std::string, int> calls_ GUARDED_BY(cluster_.mutex_);
};

}  // namespace escagent::testing
