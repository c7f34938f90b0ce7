#include "agent/controller/push_secret_controller.h"

#include <algorithm>
#include <utility>

#include "agent/controller/object_handler.h"
#include "agent/controller/resources.h"
#include "agent/controller/retry_delay.h"
#include "base/log.h"

namespace escagent::controller {
namespace {

using mirror::PushSecret;

// Each waits for ESC.
constexpr int kWorkers = 6;
constexpr int kPerNamespace = 2;

bool HasFinalizer(const PushSecret& push) {
  return std::find(push.finalizers.begin(), push.finalizers.end(), mirror::kPushSecretFinalizer) !=
         push.finalizers.end();
}

}  // namespace

PushSecretController::PushSecretController(kube::Api& api, kube::Informers& informers,
                                           store::KubeStoreRegistry& stores,
                                           store::ApiFactory api_factory, const ShardLeases& leases,
                                           kube::EventRecorder& events, Clock& clock)
    : api_(api),
      informers_(informers),
      leases_(leases),
      events_(events),
      clock_(clock),
      queue_({.thread_name = "push", .workers = kWorkers, .per_namespace = kPerNamespace}, clock,
             [this](const Key& key, Lane lane, const std::stop_token& stop) {
               Work(key, {.priority = PriorityOf(lane), .field_manager = {}, .stop = stop});
             }),
      sources_(informers,
               [this](const std::set<Key>& users) {
                 for (const Key& user : users) Want(user, Lane::kNormal);
               }),
      sync_({.may_write = [this](const std::string& name) { return leases_.HoldsNamespace(name); },
             .select =
                 [this](const std::string& name, const store::LabelSelector& selector) {
                   return sources_.Names({name, "", selector.ToString()});
                 }},
            api, stores, std::move(api_factory), clock) {}

PushSecretController::~PushSecretController() {
  kube::InformerHandle informer;  // outlives the lock, as its end waits for the handler
  {
    MutexLock lock(mutex_);
    informer = std::move(informer_);
  }
  informer = kube::InformerHandle();
  queue_.Stop();
}

void PushSecretController::OnShardGained(int shard) {
  bool started = false;
  {
    MutexLock lock(mutex_);
    started = std::exchange(started_, true);
  }
  if (started) {
    for (const Key& key : Keys()) {
      if (leases_.ShardOf(key.namespace_name) == shard) Want(key, Lane::kBackground);
    }
    return;
  }
  kube::InformerHandle informer = informers_.Start(
      {.resource = PushSecrets(), .namespace_name = {}, .label_selector = {}, .field_selector = {}},
      std::make_shared<ObjectHandler>(
          "PushSecrets",
          ObjectHandler::Callbacks{
              .on_object = [this](const kube::Object& object,
                                  bool in_initial_list) { OnObject(object, in_initial_list); },
              .on_gone = [this](const kube::ObjectKey& key) { OnGone(key); }}));
  MutexLock lock(mutex_);
  informer_ = std::move(informer);
}

void PushSecretController::OnShardLost(int shard) {
  const auto is_of_shard = [&](const Key& key) {
    return leases_.ShardOf(key.namespace_name) == shard;
  };
  queue_.WaitForWorkOn(is_of_shard);
  for (const Key& key : Keys()) {
    if (!is_of_shard(key)) continue;
    queue_.Forget(key);
    sources_.Leave(key);
  }
}

void PushSecretController::OnStoreChanged() {
  for (const Key& key : Keys()) Want(key, Lane::kNormal);
}

std::vector<kube::ObjectKey> PushSecretController::Keys() const {
  std::vector<Key> keys;
  MutexLock lock(mutex_);
  for (const auto& [key, tracked] : objects_) keys.push_back(key);
  return keys;
}

void PushSecretController::Want(const Key& key, Lane lane) {
  if (leases_.HoldsNamespace(key.namespace_name)) queue_.Add(key, lane);
}

std::optional<PushSecretController::Tracked> PushSecretController::Find(const Key& key) const {
  MutexLock lock(mutex_);
  const auto it = objects_.find(key);
  if (it == objects_.end()) return std::nullopt;
  return it->second;
}

void PushSecretController::OnObject(const kube::Object& object, bool in_initial_list) {
  Result<PushSecret> parsed = mirror::ParsePushSecret(object.json());
  if (!parsed) {
    LogWarning("a PushSecret cannot be read", {{log_key::kError, parsed.error()}});
    return;
  }
  const Key key{parsed->namespace_name, parsed->name};
  {
    MutexLock lock(mutex_);
    Tracked& tracked = objects_[key];
    const Object former =
        std::exchange(tracked.object, std::make_shared<const PushSecret>(*std::move(parsed)));
    if (former != nullptr && SameButStatus(*former, *tracked.object)) return;
  }
  Want(key, in_initial_list ? Lane::kBackground : Lane::kInteractive);
}

void PushSecretController::OnGone(const Key& key) {
  queue_.Forget(key);
  sources_.Leave(key);
  MutexLock lock(mutex_);
  objects_.erase(key);
}

void PushSecretController::Take(const kube::Object& object) {
  Result<PushSecret> parsed = mirror::ParsePushSecret(object.json());
  if (!parsed) return;
  MutexLock lock(mutex_);
  const auto it = objects_.find({parsed->namespace_name, parsed->name});
  if (it == objects_.end() || it->second.object->uid != parsed->uid) return;
  it->second.object = std::make_shared<const PushSecret>(*std::move(parsed));
}

SourceWatch::Source PushSecretController::SourceOf(const PushSecret& push) {
  return {push.namespace_name, push.spec.secret_name,
          push.spec.secret_selector ? push.spec.secret_selector->ToString() : ""};
}

void PushSecretController::Work(const Key& key, const kube::CallOptions& call) {
  const std::optional<Tracked> tracked = Find(key);
  if (!tracked || !leases_.HoldsNamespace(key.namespace_name)) {
    sources_.Leave(key);
    return;
  }
  const PushSecret& push = *tracked->object;
  if (push.deleting) return Finalize(key, *tracked, call);
  // First of all: what is another's keeps its finalizers.
  if (const auto refused = sync_.Refuse(push)) return Conclude(key, *tracked, *refused, call);
  sources_.Use(key, SourceOf(push));
  const bool deletes = push.spec.deletion_policy == mirror::PushDeletionPolicy::kDelete;
  // Before it is pushed: it must be removable.
  if (deletes && !FixFinalizer(key, push, true, call)) return;
  const PushResult result = sync_.Run(push, *tracked->memory, call);
  if (result.kind == PushResult::Kind::kDone && !deletes && HasFinalizer(push)) {
    FixFinalizer(key, push, false, call);
  }
  Conclude(key, *tracked, result, call);
}

void PushSecretController::Finalize(const Key& key, const Tracked& tracked,
                                    const kube::CallOptions& call) {
  const PushSecret& push = *tracked.object;
  sources_.Leave(key);
  if (!HasFinalizer(push)) return;
  const auto refused = sync_.Refuse(push);
  if (refused && refused->kind != PushResult::Kind::kDone) {
    return Conclude(key, tracked, *refused, call);
  }
  if (push.spec.deletion_policy == mirror::PushDeletionPolicy::kDelete) {
    const PushResult removed = sync_.RemoveAll(push, *tracked.memory, call);
    if (!removed.outcome.ready) return Conclude(key, tracked, removed, call);
    if (removed.outcome.changed) ++updates_;
  }
  FixFinalizer(key, push, false, call);
}

bool PushSecretController::FixFinalizer(const Key& key, const PushSecret& push, bool wanted,
                                        const kube::CallOptions& call) {
  if (HasFinalizer(push) == wanted) return true;
  std::vector<std::string> finalizers = push.finalizers;
  if (wanted) {
    finalizers.emplace_back(mirror::kPushSecretFinalizer);
  } else {
    std::erase(finalizers, mirror::kPushSecretFinalizer);
  }
  const kube::Object patch(nlohmann::json{
      {"metadata", {{"finalizers", finalizers}, {"resourceVersion", push.resource_version}}}});
  const Result<kube::Object> written =
      api_.Patch(PushSecrets(), key, kube::PatchType::kMerge, patch, "", call);
  // The object comes again with what was written.
  if (written || written.error().code == Code::kNotFound) return !wanted;
  queue_.AddAt(key, clock_.Now() + kFirstRetry);
  return false;
}

void PushSecretController::Conclude(const Key& key, const Tracked& tracked,
                                    const PushResult& result, const kube::CallOptions& call) {
  using Kind = PushResult::Kind;
  const Clock::TimePoint now = clock_.Now();
  if (result.kind == Kind::kPending) return queue_.AddAt(key, now + result.pause);
  if (result.kind == Kind::kForeign) return sources_.Leave(key);
  const PushSecret& push = *tracked.object;
  const mirror::PushOutcome& outcome = result.outcome;
  if (outcome.changed) ++updates_;
  int failures = 0;
  {
    MutexLock lock(mutex_);
    if (const auto it = objects_.find(key); it != objects_.end()) {
      failures = it->second.failures = outcome.ready ? 0 : it->second.failures + 1;
    }
  }
  const kube::ObjectReference about{.resource = PushSecrets(), .key = key, .uid = push.uid};
  if (!outcome.ready) {
    events_.Warning(about, outcome.reason, outcome.message);
  } else if (outcome.changed) {
    events_.Normal(about, outcome.reason, outcome.message);
  }
  auto next = std::max(push.spec.refresh_interval, kFirstRetry);
  const bool refreshes = push.spec.refresh_interval.count() > 0;
  if (!outcome.ready) {
    const std::chrono::milliseconds backoff = RetryDelay(failures);
    next = refreshes ? std::min(next, backoff) : backoff;
  }
  if (!WriteStatus(key, push, outcome, call)) next = kFirstRetry;
  if (refreshes || !outcome.ready) queue_.AddAt(key, now + next);
}

bool PushSecretController::WriteStatus(const Key& key, const PushSecret& push,
                                       const mirror::PushOutcome& outcome,
                                       const kube::CallOptions& call) {
  std::optional<nlohmann::json> patch = mirror::PushStatusPatch(push, outcome, clock_.WallNow());
  if (!patch) return true;
  const Result<kube::Object> written = api_.Patch(PushSecrets(), key, kube::PatchType::kMerge,
                                                  kube::Object(*std::move(patch)), "status", call);
  if (written) {
    Take(*written);
    return true;
  }
  if (written.error().code == Code::kNotFound || call.stop.stop_requested()) return true;
  LogWarning("the status of a PushSecret cannot be written",
             {{log_key::kNamespace, key.namespace_name}, {log_key::kError, written.error()}});
  return false;
}

PushSecretController::Stats PushSecretController::GetStats() const {
  Stats stats{.total = 0, .failed = 0, .updates = updates_};
  MutexLock lock(mutex_);
  for (const auto& [key, tracked] : objects_) {
    if (!leases_.HoldsNamespace(key.namespace_name)) continue;
    ++stats.total;
    const auto& conditions = tracked.object->status.conditions;
    stats.failed += static_cast<std::size_t>(
        std::count_if(conditions.begin(), conditions.end(), [](const mirror::Condition& c) {
          return c.type == mirror::kReadyCondition && c.status == "False";
        }));
  }
  return stats;
}

}  // namespace escagent::controller
