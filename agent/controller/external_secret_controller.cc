#include "agent/controller/external_secret_controller.h"

#include <algorithm>
#include <utility>

#include "agent/controller/object_handler.h"
#include "agent/controller/resources.h"
#include "agent/controller/retry_delay.h"
#include "base/log.h"

namespace escagent::controller {
namespace {

using mirror::ExternalSecret;

// ESO puts it on every ExternalSecret.
constexpr char kEsoFinalizer[] = "externalsecrets.external-secrets.io/externalsecret-cleanup";
// How often the targets of a namespace are looked at whose watch does not work.
constexpr std::chrono::milliseconds kShortestLook{10000};
constexpr std::chrono::milliseconds kLongestLook{300000};

// Never later than the refresh interval.
std::chrono::milliseconds RetryDelayOf(const ExternalSecret& object, int failures) {
  if (!object.spec.RefreshesPeriodically()) return RetryDelay(failures);
  return RetryDelay(failures, std::clamp(object.spec.refresh_interval, kFirstRetry, kLongestRetry));
}

}  // namespace

ExternalSecretController::ExternalSecretController(
    Options options, kube::Api& api, kube::Informers& informers, store::KubeStoreRegistry& stores,
    store::ApiFactory api_factory, cache::EnvironmentCache& cache, const ShardLeases& leases,
    kube::EventRecorder& events, Clock& clock)
    : options_(std::move(options)),
      api_(api),
      informers_(informers),
      leases_(leases),
      events_(events),
      clock_(clock),
      queue_({.thread_name = "mirror", .workers = options_.workers}, clock,
             [this](const Key& key, Lane lane, const std::stop_token& stop) {
               Work(key, lane, stop);
             }),
      watch_(
          informers,
          [this](const Key& secret, const std::string& version, const std::string& created_by) {
            OnSecret(secret, version, created_by);
          },
          options_.on_marked),
      hub_(cache, clock, [this](const std::vector<Key>& users) { Want(users, Lane::kNormal); }),
      sync_({.compat = options_.compat,
             .may_write = [this](const std::string& name) { return leases_.HoldsNamespace(name); },
             .before_change = options_.before_change},
            api, stores, std::move(api_factory), hub_, watch_, clock) {}

ExternalSecretController::~ExternalSecretController() {
  kube::InformerHandle informer;  // outlives the lock, as its end waits for the handler
  {
    MutexLock lock(mutex_);
    informer = std::move(informer_);
  }
  informer = kube::InformerHandle();
  queue_.Stop();
}

void ExternalSecretController::OnShardGained(int shard) {
  {
    MutexLock lock(mutex_);
    if (!informer_) {
      informer_ = informers_.Start(
          {.resource = ExternalSecrets(),
           .namespace_name = {},
           .label_selector = {},
           .field_selector = {}},
          std::make_shared<ObjectHandler>(
              "ExternalSecrets",
              ObjectHandler::Callbacks{
                  .on_object = [this](const kube::Object& object,
                                      bool in_initial_list) { OnObject(object, in_initial_list); },
                  .on_gone = [this](const kube::ObjectKey& key) { OnGone(key); }}));
      return;  // which tells of all there are
    }
  }
  std::vector<Key> keys = table_.All();
  std::erase_if(keys, [&](const Key& key) { return leases_.ShardOf(key.namespace_name) != shard; });
  Want(keys, Lane::kBackground);
}

void ExternalSecretController::OnShardLost(int shard) {
  const auto is_of_shard = [&](const Key& key) {
    return leases_.ShardOf(key.namespace_name) == shard;
  };
  queue_.WaitForWorkOn(is_of_shard);
  for (const Key& key : table_.All()) {
    if (!is_of_shard(key)) continue;
    queue_.Forget(key);
    hub_.KeepOnly(key, {});
    watch_.Unfollow(key.namespace_name);
  }
}

void ExternalSecretController::OnStoreChanged(const store::StoreId& store) {
  Want(table_.ByStore(store), Lane::kNormal);
}

void ExternalSecretController::OnNamespaceChanged(const std::string& namespace_name) {
  Want(table_.InNamespace(namespace_name), Lane::kNormal);
}

void ExternalSecretController::Want(const std::vector<Key>& keys, Lane lane) {
  for (const Key& key : keys) {
    if (!leases_.HoldsNamespace(key.namespace_name)) continue;
    table_.Want(key);
    queue_.Add(key, lane);
  }
}

void ExternalSecretController::WantAt(const Key& key, Clock::TimePoint due) {
  table_.Want(key);
  queue_.AddAt(key, due);
}

void ExternalSecretController::OnObject(const kube::Object& object, bool in_initial_list) {
  Result<ExternalSecret> parsed = mirror::ParseExternalSecret(object.json());
  if (!parsed) {
    LogWarning("an ExternalSecret cannot be read", {{log_key::kError, parsed.error()}});
    return;
  }
  const Key key{parsed->namespace_name, parsed->name};
  const auto change = table_.Put(std::make_shared<const ExternalSecret>(*std::move(parsed)));
  if (change == ExternalSecretTable::Change::kNone) return;
  Want({key}, in_initial_list ? Lane::kBackground : Lane::kInteractive);
}

void ExternalSecretController::OnGone(const Key& key) {
  if (!table_.MarkGone(key)) return;
  if (!leases_.HoldsNamespace(key.namespace_name)) return table_.Erase(key);
  table_.Want(key);
  queue_.Add(key, Lane::kInteractive);
}

void ExternalSecretController::OnSecret(const Key& secret, const std::string& version,
                                        const std::string& created_by) {
  for (const Key& key : table_.ByTarget(secret)) {
    if (table_.Suspect(key, version)) queue_.Add(key, Lane::kNormal);
  }
  if (created_by.empty()) return;
  // A Secret that the object has made under another name is an orphan.
  const std::optional<Key> maker = table_.ByCreatedBy(created_by);
  if (!maker) return;
  const std::optional<TrackedSecret> tracked = table_.Get(*maker);
  if (tracked && tracked->object->target_name() != secret.name) Want({*maker}, Lane::kNormal);
}

void ExternalSecretController::Work(const Key& key, Lane lane, const std::stop_token& stop) {
  const std::optional<TrackedSecret> tracked = table_.Take(key);
  if (!tracked) return;
  const ExternalSecret& object = *tracked->object;
  const kube::Priority priority = PriorityOf(lane);
  if (!leases_.HoldsNamespace(key.namespace_name)) {
    hub_.KeepOnly(key, {});
    if (tracked->gone) table_.Erase(key);
  } else if (tracked->gone) {
    Collect(key, object, priority, stop);
  } else if (object.deleting) {
    Release(key, object, priority, stop);
  } else {
    watch_.Follow(key.namespace_name);
    Conclude(key, *tracked, sync_.Run(object, priority, stop), priority, stop);
  }
}

void ExternalSecretController::Conclude(const Key& key, const TrackedSecret& tracked,
                                        const SyncResult& result, kube::Priority priority,
                                        const std::stop_token& stop) {
  using Kind = SyncResult::Kind;
  if (result.kind == Kind::kForeign) return;
  if (result.kind == Kind::kPending) {
    if (result.again_at) WantAt(key, *result.again_at);
    return;
  }
  const ExternalSecret& object = *tracked.object;
  const bool failed = result.kind == Kind::kDone && !result.outcome.ready;
  const int failures = table_.NoteResult(key, failed, result.target_version);
  const Clock::TimePoint now = clock_.Now();
  if (result.again_at) WantAt(key, *result.again_at);
  if (failed) WantAt(key, now + RetryDelayOf(object, failures));
  if (!failed && object.spec.RefreshesPeriodically() && !watch_.Works(key.namespace_name)) {
    WantAt(key, now + std::clamp(object.spec.refresh_interval, kShortestLook, kLongestLook));
  }
  if (result.kind != Kind::kDone) return;
  ++syncs_;
  if (failed) ++failures_;
  if (result.event != SyncResult::Event::kNone) ++secret_writes_;
  TellEvents(object, result);
  if (result.event == SyncResult::Event::kUpdated && result.outcome.data_changed &&
      options_.after_change) {
    options_.after_change({key.namespace_name, object.target_name()});
  }
  WriteStatus(key, object, result.outcome, priority, stop);
}

void ExternalSecretController::TellEvents(const ExternalSecret& object, const SyncResult& result) {
  const kube::ObjectReference about{.resource = ExternalSecrets(),
                                    .key = {object.namespace_name, object.name},
                                    .uid = object.uid};
  switch (result.event) {
    case SyncResult::Event::kNone:
      break;
    case SyncResult::Event::kCreated:
      events_.Normal(about, mirror::kEventCreated, "secret created");
      break;
    case SyncResult::Event::kUpdated:
      events_.Normal(about, mirror::kEventUpdated, "secret updated");
      break;
    case SyncResult::Event::kDeleted:
      events_.Normal(about, mirror::kEventDeleted, "secret deleted");
      break;
  }
  if (!result.outcome.ready && result.outcome.reason == mirror::kReasonSyncedError) {
    events_.Warning(about, mirror::kEventUpdateFailed, result.outcome.message);
  }
  for (const std::string& missing : result.missing) {
    events_.Normal(about, mirror::kEventMissingProviderSecret, missing);
  }
}

void ExternalSecretController::WriteStatus(const Key& key, const ExternalSecret& object,
                                           const mirror::SyncOutcome& outcome,
                                           kube::Priority priority, const std::stop_token& stop) {
  std::optional<nlohmann::json> patch = mirror::StatusPatch(object, outcome, clock_.WallNow());
  if (!patch || !leases_.HoldsNamespace(key.namespace_name)) return;
  const Result<kube::Object> written =
      api_.Patch(ExternalSecrets(), key, kube::PatchType::kMerge, kube::Object(*std::move(patch)),
                 "status", {.priority = priority, .field_manager = {}, .stop = stop});
  if (!written) {
    if (written.error().code == Code::kNotFound || stop.stop_requested()) return;
    LogWarning("the status of an ExternalSecret cannot be written",
               {{log_key::kNamespace, key.namespace_name}, {log_key::kError, written.error()}});
    WantAt(key, clock_.Now() + kFirstRetry);
    return;
  }
  ++status_writes_;
  Result<ExternalSecret> parsed = mirror::ParseExternalSecret(written->json());
  if (!parsed) return;
  table_.PutStatus(key, object.resource_version,
                   std::make_shared<const ExternalSecret>(*std::move(parsed)));
}

void ExternalSecretController::Release(const Key& key, const ExternalSecret& object,
                                       kube::Priority priority, const std::stop_token& stop) {
  std::vector<std::string> finalizers = object.finalizers;
  if (std::erase(finalizers, kEsoFinalizer) == 0) return;
  kube::Object patch(nlohmann::json{
      {"metadata", {{"finalizers", finalizers}, {"resourceVersion", object.resource_version}}}});
  const Result<kube::Object> written =
      api_.Patch(ExternalSecrets(), key, kube::PatchType::kMerge, patch, "",
                 {.priority = priority, .field_manager = {}, .stop = stop});
  if (written || written.error().code == Code::kNotFound || stop.stop_requested()) return;
  // ABORTED: the object has changed, and comes again by itself too.
  WantAt(key, clock_.Now() + kFirstRetry);
}

void ExternalSecretController::Collect(const Key& key, const ExternalSecret& object,
                                       kube::Priority priority, const std::stop_token& stop) {
  hub_.KeepOnly(key, {});
  const Status collected = sync_.Collect(object, priority, stop);
  if (!collected && !stop.stop_requested()) {
    // Kubernetes' garbage collector sees to it.
    LogWarning("the Secret of a deleted ExternalSecret cannot be deleted",
               {{log_key::kNamespace, key.namespace_name}, {log_key::kError, collected.error()}});
  }
  const std::optional<TrackedSecret> now = table_.Get(key);
  if (now && now->gone) table_.Erase(key);
}

ExternalSecretController::Stats ExternalSecretController::GetStats() const {
  return {.syncs = syncs_,
          .failures = failures_,
          .secret_writes = secret_writes_,
          .status_writes = status_writes_,
          .waiting = queue_.Depth(),
          .objects = table_.Count(
              [this](const Key& key) { return leases_.HoldsNamespace(key.namespace_name); })};
}

}  // namespace escagent::controller
