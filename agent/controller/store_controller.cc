#include "agent/controller/store_controller.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "agent/controller/retry_delay.h"
#include "base/log.h"
#include "kube/object.h"

namespace escagent::controller {
namespace {

// A cluster store has no namespace, and no SecretStore is without one.
store::StoreId IdOf(const kube::ObjectKey& key) {
  const bool cluster = key.namespace_name.empty();
  return {.kind = cluster ? store::StoreKind::kClusterSecretStore : store::StoreKind::kSecretStore,
          .namespace_name = key.namespace_name,
          .name = key.name};
}

// What decides which agent looks after the store.
const std::string& ShardNameOf(const kube::ObjectKey& key) {
  return key.namespace_name.empty() ? key.name : key.namespace_name;
}

nlohmann::json ToJson(const store::StoreStatus& status) {
  nlohmann::json conditions = nlohmann::json::array();
  for (const store::StatusCondition& condition : status.conditions) {
    nlohmann::json written = {{"type", condition.type}, {"status", condition.status}};
    if (!condition.reason.empty()) written["reason"] = condition.reason;
    if (!condition.message.empty()) written["message"] = condition.message;
    if (!condition.last_transition_time.empty()) {
      written["lastTransitionTime"] = condition.last_transition_time;
    }
    conditions.push_back(std::move(written));
  }
  return {{"status", {{"capabilities", status.capabilities}, {"conditions", conditions}}}};
}

}  // namespace

StoreController::StoreController(Options options, kube::Api& api, store::KubeStoreRegistry& stores,
                                 store::ApiFactory api_factory, const ShardLeases& leases,
                                 kube::EventRecorder& events, Clock& clock)
    : options_(options),
      api_(api),
      stores_(stores),
      api_factory_(std::move(api_factory)),
      leases_(leases),
      events_(events),
      clock_(clock),
      queue_({.thread_name = "stores",
              .workers = options.workers,
              .per_namespace = options.per_namespace},
             clock, [this](const Key& key, Lane lane, const std::stop_token& stop) {
               Work(key, lane, stop);
             }) {}

void StoreController::OnShardGained(int shard) {
  for (const auto& store : stores_.List()) {
    const Key key = store::StoreKey(store->id);
    if (leases_.ShardOf(ShardNameOf(key)) == shard) queue_.Add(key, Lane::kBackground);
  }
}

void StoreController::OnShardLost(int shard) {
  const auto is_of_shard = [&](const Key& key) {
    return leases_.ShardOf(ShardNameOf(key)) == shard;
  };
  queue_.WaitForWorkOn(is_of_shard);
  for (const auto& store : stores_.List()) {
    const Key key = store::StoreKey(store->id);
    if (is_of_shard(key)) queue_.Forget(key);
  }
  MutexLock lock(mutex_);
  std::erase_if(memories_, [&](const auto& entry) { return is_of_shard(entry.first); });
}

void StoreController::OnStoreChanged(const store::StoreId& id) {
  const Key key = store::StoreKey(id);
  if (!leases_.HoldsNamespace(ShardNameOf(key))) return;
  queue_.Add(key, Lane::kInteractive);
}

void StoreController::Work(const Key& key, Lane lane, const std::stop_token& stop) {
  if (!leases_.HoldsNamespace(ShardNameOf(key))) return;
  const std::shared_ptr<const store::StoreObject> store = stores_.Find(IdOf(key));
  if (!store || !store->ours) {
    MutexLock lock(mutex_);
    memories_.erase(key);
    return;
  }
  const StoreVerdict verdict = Validate(*store, stop);
  // A cancelled call is no news about the store, and another agent's store is not to be written.
  if (stop.stop_requested() || !leases_.HoldsNamespace(ShardNameOf(key))) return;
  const bool written = Conclude(*store, verdict, lane, stop);
  Schedule(key, *store, verdict, written);
}

StoreVerdict StoreController::Validate(const store::StoreObject& store,
                                       const std::stop_token& stop) {
  const Result<store::ResolvedStore> resolved = stores_.ResolveForValidation(store.id);
  if (!resolved) return CannotBeUsed(resolved.error());
  const std::shared_ptr<esc::Api> api = api_factory_(*resolved);
  return ValidateEnvironment(*api, resolved->ref, stop);
}

store::StoreStatus StoreController::StatusOf(const store::StoreObject& store) {
  MutexLock lock(mutex_);
  const auto memory = memories_.find(store::StoreKey(store.id));
  // The watch may not have told of the last write yet.
  if (memory != memories_.end() && memory->second.written_over == store.resource_version) {
    return memory->second.written;
  }
  return store.status;
}

bool StoreController::Conclude(const store::StoreObject& store, const StoreVerdict& verdict,
                               Lane lane, const std::stop_token& stop) {
  const store::StoreStatus before = StatusOf(store);
  const store::StoreStatus next = NextStoreStatus(before, verdict, clock_.WallNow());
  if (next == before) return true;
  const Key key = store::StoreKey(store.id);
  const Result<kube::Object> patched = api_.Patch(
      store::StoreResource(store.id.kind), key, kube::PatchType::kMerge, kube::Object(ToJson(next)),
      "status", {.priority = PriorityOf(lane), .stop = stop});
  if (!patched) {
    // Somebody has deleted it.
    if (patched.error().code == Code::kNotFound) return true;
    LogWarning("the status of a store cannot be written",
               {{log_key::kStore, store.id.ToString()}, {log_key::kError, patched.error()}});
    return false;
  }
  {
    MutexLock lock(mutex_);
    Memory& memory = memories_[key];
    memory.written_over = store.resource_version;
    memory.written = next;
  }
  TellEvent(store, before, next);
  return true;
}

void StoreController::TellEvent(const store::StoreObject& store, const store::StoreStatus& before,
                                const store::StoreStatus& next) {
  const store::StatusCondition& ready = *next.Ready();
  const store::StatusCondition* old = before.Ready();
  const kube::ObjectReference object{.resource = store::StoreResource(store.id.kind),
                                     .key = store::StoreKey(store.id),
                                     .uid = store.uid};
  if (ready.reason != "Valid") {
    events_.Warning(object, ready.reason, ready.message);
  } else if (old == nullptr || old->status != ready.status) {
    events_.Normal(object, ready.reason, ready.message);
  }
}

void StoreController::Schedule(const Key& key, const store::StoreObject& store,
                               const StoreVerdict& verdict, bool written) {
  const std::chrono::milliseconds interval = store.refresh_interval.count() > 0
                                                 ? std::max(store.refresh_interval, kFirstRetry)
                                                 : options_.interval;
  // What is wrong with the spec is known again when it changes.
  const bool done =
      written && (verdict.kind == StoreVerdict::Kind::kValid || !store.problems.empty());
  int failures = 0;
  {
    MutexLock lock(mutex_);
    Memory& memory = memories_[key];
    memory.failures = done ? 0 : memory.failures + 1;
    failures = memory.failures;
  }
  std::chrono::milliseconds delay = interval;
  if (!done) {
    delay = std::min(
        {interval, options_.max_backoff, std::max(RetryDelay(failures), verdict.retry_after)});
  }
  queue_.AddAt(key, clock_.Now() + delay);
}

}  // namespace escagent::controller
