#include "agent/controller/cluster_external_secret_controller.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/controller/object_handler.h"
#include "agent/controller/resources.h"
#include "agent/controller/retry_delay.h"
#include "agent/mirror/external_secret_status.h"
#include "base/log.h"

namespace escagent::controller {
namespace {

using mirror::ClusterExternalSecret;

// While namespaces and ExternalSecrets are read for the first time.
constexpr std::chrono::milliseconds kReadPause{500};
// Between two repairs, so that another writer who changes an ExternalSecret all the time makes no
// storm of ours.
constexpr std::chrono::milliseconds kRepairPause{1000};

std::string ForceSyncOf(const ClusterExternalSecret& object) {
  const auto it = object.annotations.find(mirror::kForceSyncAnnotation);
  return it == object.annotations.end() ? "" : it->second;
}

// Whether the two want the same.
bool SameWish(const ClusterExternalSecret& a, const ClusterExternalSecret& b) {
  return a.uid == b.uid && a.generation == b.generation && ForceSyncOf(a) == ForceSyncOf(b) &&
         a.deleting == b.deleting && a.finalizers == b.finalizers;
}

}  // namespace

ClusterExternalSecretController::ClusterExternalSecretController(Options options, kube::Api& api,
                                                                 kube::Informers& informers,
                                                                 kube::EventRecorder& events,
                                                                 Clock& clock)
    : options_(std::move(options)),
      api_(api),
      informers_(informers),
      events_(events),
      clock_(clock),
      queue_({.thread_name = "cluster-es", .workers = options_.workers}, clock,
             [this](const kube::ObjectKey& key, Lane lane, const std::stop_token& stop) {
               Work(key.name, {.priority = PriorityOf(lane), .field_manager = {}, .stop = stop});
             }),
      owned_(informers, {.on_change = [this](const std::string& name) { OnOwnedChanged(name); },
                         .on_synced = [this] { WantAll(Lane::kBackground); }}),
      sync_(api, owned_, options_.is_mine) {}

ClusterExternalSecretController::~ClusterExternalSecretController() {
  kube::InformerHandle informer;  // outlives the lock, as its end waits for the handler
  {
    MutexLock lock(mutex_);
    informer = std::move(informer_);
  }
  informer = kube::InformerHandle();
  owned_.Stop();
  queue_.Stop();
}

void ClusterExternalSecretController::OnShardGained() {
  bool started = false;
  {
    MutexLock lock(mutex_);
    started = std::exchange(started_, true);
  }
  if (started) return WantAll(Lane::kBackground);
  // It tells of all there are.
  kube::InformerHandle informer = informers_.Start(
      {.resource = ClusterExternalSecrets(),
       .namespace_name = {},
       .label_selector = {},
       .field_selector = {}},
      std::make_shared<ObjectHandler>(
          "ClusterExternalSecrets",
          ObjectHandler::Callbacks{
              .on_object = [this](const kube::Object& object,
                                  bool in_initial_list) { OnObject(object, in_initial_list); },
              .on_gone = [this](const kube::ObjectKey& key) { OnGone(key.name); }}));
  MutexLock lock(mutex_);
  informer_ = std::move(informer);
}

void ClusterExternalSecretController::OnShardLost() {
  std::set<std::string> names;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, tracked] : objects_) names.insert(name);
  }
  std::erase_if(names, [this](const std::string& name) { return options_.is_mine(name); });
  queue_.WaitForWorkOn([&](const kube::ObjectKey& key) { return names.contains(key.name); });
  for (const std::string& name : names) queue_.Forget({"", name});
}

void ClusterExternalSecretController::OnNamespaceChanged() { WantAll(Lane::kNormal); }

void ClusterExternalSecretController::WantAll(Lane lane) {
  std::set<std::string> names;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, tracked] : objects_) names.insert(name);
  }
  for (const std::string& name : names) Want(name, lane);
}

void ClusterExternalSecretController::Want(const std::string& name, Lane lane) {
  if (options_.is_mine(name)) queue_.Add({"", name}, lane);
}

void ClusterExternalSecretController::OnObject(const kube::Object& object, bool in_initial_list) {
  Result<ClusterExternalSecret> parsed = mirror::ParseClusterExternalSecret(object.json());
  if (!parsed) {
    LogWarning("a ClusterExternalSecret cannot be read", {{log_key::kError, parsed.error()}});
    return;
  }
  owned_.Start();
  const auto now = std::make_shared<const ClusterExternalSecret>(*std::move(parsed));
  {
    MutexLock lock(mutex_);
    Tracked& tracked = objects_[now->name];
    const Object before = std::exchange(tracked.object, now);
    const bool was_gone = std::exchange(tracked.gone, false);
    if (before != nullptr && !was_gone && SameWish(*before, *now)) return;
    tracked.failures = 0;
  }
  Want(now->name, in_initial_list ? Lane::kBackground : Lane::kInteractive);
}

void ClusterExternalSecretController::OnGone(const std::string& name) {
  const bool mine = options_.is_mine(name);
  {
    MutexLock lock(mutex_);
    const auto it = objects_.find(name);
    if (it == objects_.end()) return;
    it->second.gone = true;
    if (!mine) objects_.erase(it);
  }
  if (mine) queue_.Add({"", name}, Lane::kInteractive);
}

void ClusterExternalSecretController::OnOwnedChanged(const std::string& name) {
  if (!options_.is_mine(name)) return;
  Clock::TimePoint next{};
  {
    MutexLock lock(mutex_);
    const auto it = objects_.find(name);
    if (it == objects_.end()) return;
    next = it->second.worked_at + kRepairPause;
  }
  if (next > clock_.Now()) return queue_.AddAt({"", name}, next);
  queue_.Add({"", name}, Lane::kNormal);
}

void ClusterExternalSecretController::Work(const std::string& name, const kube::CallOptions& call) {
  Tracked tracked;
  {
    MutexLock lock(mutex_);
    const auto it = objects_.find(name);
    if (it == objects_.end()) return;
    tracked = it->second;
  }
  if (!options_.is_mine(name)) return;
  const auto namespaces = options_.namespaces();
  // Before that, what is not known would look like what is not there.
  if (!namespaces || !owned_.Synced()) {
    return queue_.AddAt({"", name}, clock_.Now() + kReadPause);
  }
  {
    MutexLock lock(mutex_);
    if (const auto it = objects_.find(name); it != objects_.end()) {
      it->second.worked_at = clock_.Now();
    }
  }
  const ClusterExternalSecret& object = *tracked.object;
  if (tracked.gone || object.deleting) return Remove(object, call);
  // What is wrong stays wrong until somebody changes it.
  if (!object.spec_problems.empty()) return WriteStatus(object, {}, call);
  Provision(object, *namespaces, call);
}

void ClusterExternalSecretController::Provision(
    const ClusterExternalSecret& object, const ClusterExternalSecretSync::Namespaces& namespaces,
    const kube::CallOptions& call) {
  const Result<ClusterExternalSecretSync::Outcome> outcome = sync_.Run(object, namespaces, call);
  if (!outcome || call.stop.stop_requested()) return;
  WriteStatus(object, outcome->provision, call);
  if (outcome->retry) return Retry(object);
  if (object.refresh_interval > std::chrono::milliseconds::zero()) {
    queue_.AddAt({"", object.name}, clock_.Now() + std::max(object.refresh_interval, kFirstRetry));
  }
  MutexLock lock(mutex_);
  if (const auto it = objects_.find(object.name); it != objects_.end()) it->second.failures = 0;
}

void ClusterExternalSecretController::WriteStatus(const ClusterExternalSecret& object,
                                                  const mirror::ProvisionOutcome& outcome,
                                                  const kube::CallOptions& call) {
  const auto patch = mirror::ClusterStatusPatch(object, outcome, clock_.WallNow());
  if (!patch || !options_.is_mine(object.name)) return;
  TellFailures(object, outcome);
  const Result<kube::Object> written =
      api_.Patch(ClusterExternalSecrets(), {"", object.name}, kube::PatchType::kMerge,
                 kube::Object(*patch), "status", call);
  if (!written) {
    if (written.error().code == Code::kNotFound || call.stop.stop_requested()) return;
    LogWarning("the status of a ClusterExternalSecret cannot be written",
               {{log_key::kError, written.error()}});
    return Retry(object);
  }
  ++status_writes_;
  Result<ClusterExternalSecret> parsed = mirror::ParseClusterExternalSecret(written->json());
  if (!parsed) return;
  MutexLock lock(mutex_);
  const auto it = objects_.find(object.name);
  // Not when it has changed meanwhile: the watch knows better then.
  if (it == objects_.end() || it->second.object->resource_version != object.resource_version ||
      !SameWish(*it->second.object, *parsed)) {
    return;
  }
  it->second.object = std::make_shared<const ClusterExternalSecret>(*std::move(parsed));
}

void ClusterExternalSecretController::TellFailures(const ClusterExternalSecret& object,
                                                   const mirror::ProvisionOutcome& outcome) {
  const kube::ObjectReference about{
      .resource = ClusterExternalSecrets(), .key = {"", object.name}, .uid = object.uid};
  for (const std::string& problem : object.spec_problems) {
    events_.Warning(about, mirror::kEventUpdateFailed, problem);
  }
  const std::vector<mirror::NamespaceFailure>& known = object.status.failed_namespaces;
  for (const mirror::NamespaceFailure& failure : outcome.failed) {
    if (std::ranges::find(known, failure) != known.end()) continue;
    events_.Warning(about, mirror::kEventUpdateFailed,
                    "namespace " + failure.namespace_name + ": " + failure.reason);
  }
}

void ClusterExternalSecretController::Remove(const ClusterExternalSecret& object,
                                             const kube::CallOptions& call) {
  Status removed = sync_.RemoveAll(object, call);
  if (removed && object.deleting) removed = Release(object, call);
  if (call.stop.stop_requested()) return;
  if (!removed) {
    LogWarning("the ExternalSecrets of a deleted ClusterExternalSecret cannot be removed",
               {{log_key::kError, removed.error()}});
    return Retry(object);
  }
  MutexLock lock(mutex_);
  const auto it = objects_.find(object.name);
  if (it != objects_.end() && it->second.gone) objects_.erase(it);
}

Status ClusterExternalSecretController::Release(const ClusterExternalSecret& object,
                                                const kube::CallOptions& call) {
  std::vector<std::string> finalizers = object.finalizers;
  if (std::erase(finalizers, mirror::kClusterExternalSecretFinalizer) == 0) return {};
  const kube::Object patch(nlohmann::json{
      {"metadata", {{"finalizers", finalizers}, {"resourceVersion", object.resource_version}}}});
  const Result<kube::Object> written = api_.Patch(ClusterExternalSecrets(), {"", object.name},
                                                  kube::PatchType::kMerge, patch, "", call);
  if (written || written.error().code == Code::kNotFound) return {};
  return std::unexpected(written.error());
}

void ClusterExternalSecretController::Retry(const ClusterExternalSecret& object) {
  int failures = 0;
  {
    MutexLock lock(mutex_);
    const auto it = objects_.find(object.name);
    if (it == objects_.end()) return;
    failures = ++it->second.failures;
  }
  queue_.AddAt({"", object.name}, clock_.Now() + RetryDelay(failures));
}

ClusterExternalSecretController::Stats ClusterExternalSecretController::GetStats() const {
  Stats stats;
  stats.status_writes = status_writes_;
  std::vector<Object> objects;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, tracked] : objects_) {
      if (!tracked.gone) objects.push_back(tracked.object);
    }
  }
  for (const Object& object : objects) {
    if (!options_.is_mine(object->name)) continue;
    ++stats.total;
    const auto& conditions = object->status.conditions;
    const auto ready =
        std::ranges::find(conditions, mirror::kReadyCondition, &mirror::Condition::type);
    if (ready == conditions.end()) continue;
    if (ready->status == "True") ++stats.ready;
    if (ready->status == "False") ++stats.failed;
  }
  return stats;
}

}  // namespace escagent::controller
