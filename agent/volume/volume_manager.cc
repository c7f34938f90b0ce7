#include "agent/volume/volume_manager.h"

#include <chrono>
#include <map>
#include <string_view>
#include <utility>

#include "agent/volume/target_path.h"
#include "agent/volume/volume_record.h"
#include "base/log.h"

namespace escagent::volume {
namespace {

// By then every publish that came before an unpublish has been answered.
constexpr std::chrono::minutes kLongestPublish{1};

// What a failed repair of a dead mount answers: an error after which kubelet tries again and
// leaves the folder alone (final and transient errors: reference/csi-contract.md 1.4).
Error ForRepair(Error error) {
  error = Annotate(std::move(error), "repair the dead mount of this volume");
  error.code = Code::kUnavailable;
  return error;
}

// Whether the caller publishes again by itself (csi::VolumeService::Publish).
bool IsNotYet(const Status& status, std::chrono::nanoseconds since_received) {
  return !status && status.error().code == Code::kUnavailable &&
         status.error().retry_after > std::chrono::milliseconds(0) &&
         since_received + status.error().retry_after < csi::kPublishPatience;
}

// The request has failed already; that something could not be undone is only worth a line.
void LogFailedUndo(const Status& status, const VolumeIdentity& identity) {
  if (status) return;
  LogError("failed publish could not be undone", {{log_key::kVolume, identity.volume_id},
                                                  {log_key::kTarget, identity.target},
                                                  {log_key::kError, status.error()}});
}

}  // namespace

VolumeManager::VolumeManager(Options options, store::StoreRegistry& stores,
                             cache::EnvironmentCache& cache, fuse::Mounter& mounter, Clock& clock,
                             ApiFactory api_factory)
    : options_(std::move(options)),
      mounter_(mounter),
      clock_(clock),
      sources_(stores, cache, std::move(api_factory)),
      pod_sources_(options_.pods, sources_),
      mirror_(options_.secret_mirror == nullptr
                  ? nullptr
                  : std::make_unique<MirrorWorker>(*options_.secret_mirror, clock)),
      reconciler_({.retry_interval = options_.retry_interval, .observer = options_.observer},
                  sources_, clock, [this] { return Volumes(); }) {}

VolumeManager::~VolumeManager() { Shutdown(); }

Status VolumeManager::Publish(const csi::PublishRequest& request) {
  ESC_ASSIGN_OR_RETURN(const OperationGate::Pass pass,
                       gate_.Enter(request.volume_id, options_.patience));
  if (stop_.stop_requested()) return Unavailable("publish volume: the agent is stopping");
  const bool known = Find(request.volume_id) != nullptr;
  VolumeEvent event{.kind = known ? VolumeEvent::Kind::kRepublish : VolumeEvent::Kind::kPublish,
                    .volume_id = request.volume_id,
                    .error = std::nullopt,
                    .pod = request.pod};
  const Status status = DoPublish(request, event.source);
  if (IsNotYet(status, clock_.Now() - request.received_at)) return status;
  Observe(std::move(event), status, request.received_at);
  return status;
}

Status VolumeManager::DoPublish(const csi::PublishRequest& request, SourceName& source) {
  ESC_ASSIGN_OR_RETURN(VolumeIdentity identity, ReadRequest(request));
  source = NamedSource(identity);
  const Secret& tokens = request.service_account_tokens;
  if (const VolumePointer volume = Find(identity.volume_id)) {
    return Republish(*volume, identity, tokens);
  }
  ESC_RETURN_IF_ERROR(CheckStillWanted(request));
  ESC_RETURN_IF_ERROR(CheckMirror(identity));
  ESC_RETURN_IF_ERROR(CheckTargetIsFree(identity.volume_id, identity.target));
  ESC_ASSIGN_OR_RETURN(const bool is_mount_point, mounter_.IsMountPoint(identity.target));
  Status status =
      PublishNew(std::move(identity), tokens, request.received_at, is_mount_point, source);
  if (status || !is_mount_point) return status;
  return std::unexpected(ForRepair(std::move(status).error()));
}

Status VolumeManager::PublishNew(VolumeIdentity identity, const Secret& tokens,
                                 Clock::TimePoint asked_at, bool is_mount_point,
                                 SourceName& source_name) {
  const bool as_pod = identity.attributes.pod_environment.has_value();
  ESC_ASSIGN_OR_RETURN(const VolumeSource source,
                       as_pod
                           ? pod_sources_.Admit(identity, tokens, asked_at)
                           : sources_.Find(identity.pod.namespace_name, identity.attributes.store));
  source_name = {source.store_name, source.key.ref.ToString()};
  const VolumePointer volume = MakeVolume(std::move(identity), source_name);
  if (as_pod) volume->SetPodSource(source);
  ESC_RETURN_IF_ERROR(SubscribeNew(*volume, source, asked_at));
  // A dead mount is repaired at once: its pod has found the Secret long ago.
  if (!is_mount_point) ESC_RETURN_IF_ERROR(MirrorFirst(*volume, asked_at));
  ESC_RETURN_IF_ERROR(MountVolume(*volume));
  if (Status registered = Register(volume); !registered) {
    LogFailedUndo(volume->Unmount(), volume->identity());
    if (!is_mount_point) {
      const VolumeIdentity& mounted = volume->identity();
      LogFailedUndo(mounter_.Remove(mounted.volume_id, mounted.target), mounted);
    }
    return registered;
  }
  // For what changed between the rendering and here, when the callback had no mount to show it.
  volume->Refresh();
  if (volume->NextTry()) reconciler_.Wake();
  return {};
}

VolumeManager::VolumePointer VolumeManager::MakeVolume(VolumeIdentity identity,
                                                       SourceName source) const {
  MirrorWorker* const mirror = identity.attributes.mirror_to.empty() ? nullptr : mirror_.get();
  return std::make_shared<Volume>(std::move(identity), std::move(source), clock_, options_.observer,
                                  mirror);
}

Status VolumeManager::CheckMirror(const VolumeIdentity& identity) const {
  if (identity.attributes.mirror_to.empty()) return {};
  if (mirror_ == nullptr) {
    return FailedPrecondition(
        "volumeAttributes: mirrorTo needs an API server; run the agent in a cluster or with "
        "--kubeconfig, or leave mirrorTo out");
  }
  const csi::PodInfo& pod = identity.pod;
  if (pod.name.empty() || pod.namespace_name.empty() || pod.uid.empty()) {
    return InvalidArgument(
        "volumeAttributes: mirrorTo needs to know the pod; set podInfoOnMount: true in the "
        "CSIDriver object");
  }
  return {};
}

Status VolumeManager::MirrorFirst(const Volume& volume, Clock::TimePoint asked_at) const {
  if (volume.identity().attributes.mirror_to.empty()) return {};
  ESC_ASSIGN_OR_RETURN(const Volume::Rendering rendering, volume.Prepare());
  if (rendering.snapshot == nullptr) return {};
  return mirror_->Ensure(volume.identity(), rendering.snapshot, asked_at);
}

Status VolumeManager::Republish(Volume& volume, const VolumeIdentity& wanted,
                                const Secret& tokens) {
  ESC_RETURN_IF_ERROR(CheckSameRequest(volume.identity(), wanted));
  if (wanted.attributes.pod_environment) {
    // Without a (good) new token the one before stays, and what comes of that shows in the volume's
    // condition: a republish is answered with OK.
    if (Result<VolumeSource> source = pod_sources_.Renew(wanted, tokens)) {
      volume.SetPodSource(*std::move(source));
    }
  }
  if (!volume.Served()) {
    const Clock::TimePoint start = clock_.Now();
    const Status status = MountVolume(volume);
    Observe(EventOf(VolumeEvent::Kind::kRestack, wanted.volume_id), status, start);
    if (!status) return std::unexpected(ForRepair(status.error()));
    volume.Refresh();
  }
  reconciler_.Check(wanted.volume_id);
  return {};
}

Status VolumeManager::SubscribeNew(Volume& volume, const VolumeSource& source,
                                   Clock::TimePoint asked_at) const {
  // The volume outlives its subscription and every callback of it (Volume::Stop).
  Result<cache::Subscription> subscription = sources_.TrySubscribe(
      source, volume.identity().attributes, [refresh = &volume] { refresh->Refresh(); }, asked_at);
  if (subscription) {
    volume.Adopt(*std::move(subscription), {source.store_name, source.key.ref.ToString()});
    return {};
  }
  const bool awaited =
      volume.identity().attributes.optional && subscription.error().code == Code::kNotFound;
  if (!awaited) return std::unexpected(std::move(subscription).error());
  reconciler_.RetryLater(volume, std::nullopt);
  return {};
}

Status VolumeManager::MountVolume(Volume& volume) {
  const VolumeIdentity& identity = volume.identity();
  ESC_ASSIGN_OR_RETURN(Volume::Rendering rendering, volume.Prepare());
  const Clock::WallTime now = clock_.WallNow();
  fuse::MountOptions options;
  options.volume_id = identity.volume_id;
  options.mountpoint = identity.target;
  options.backend = identity.attributes.backend;
  options.cache = identity.attributes.cache;
  options.selinux_context = identity.selinux_context;
  options.metadata = EncodeRecord(identity, volume.GetSourceName(), now);
  ESC_ASSIGN_OR_RETURN(auto mount, mounter_.Mount(options, rendering.spec));
  volume.SetMounted(std::move(mount), std::move(rendering.snapshot), now);
  return {};
}

Status VolumeManager::Unpublish(const std::string& volume_id, const std::string& target_path) {
  ESC_RETURN_IF_ERROR(ValidateTarget(target_path));
  ESC_ASSIGN_OR_RETURN(const OperationGate::Pass pass, gate_.Enter(volume_id, options_.patience));
  const Clock::TimePoint start = clock_.Now();
  VolumeEvent event = EventOf(VolumeEvent::Kind::kUnpublish, volume_id);
  const Status status = DoUnpublish(volume_id, target_path);
  if (status) NoteUnpublished(volume_id);
  Observe(std::move(event), status, start);
  return status;
}

// The volume is forgotten last, so that after a failure it is still known and served as far as it
// can be, and the next Unpublish begins again.
Status VolumeManager::DoUnpublish(const std::string& volume_id, const std::string& target) {
  ESC_RETURN_IF_ERROR(CheckTargetIsFree(volume_id, target));
  VolumePointer volume = Find(volume_id);
  // At another path: that one stays.
  const bool elsewhere = volume != nullptr && volume->identity().target != target;
  if (elsewhere) volume = nullptr;
  // Everything first, since the volume by itself refuses when somebody has mounted over it.
  ESC_RETURN_IF_ERROR(mounter_.Remove(volume_id, target));
  if (volume != nullptr) {
    ESC_RETURN_IF_ERROR(volume->Unmount());
    {
      MutexLock lock(mutex_);
      volumes_.erase(volume_id);
    }
    volume->Stop();
  }
  // Also of a volume whose Secret was written, but which was never mounted.
  if (mirror_ != nullptr && !elsewhere) mirror_->Release(volume_id);
  return {};
}

Result<csi::VolumeStats> VolumeManager::Stats(const std::string& volume_id,
                                              const std::string& volume_path) {
  const VolumePointer volume = Find(volume_id);
  if (volume == nullptr || volume->identity().target != volume_path) {
    return NotFound("volume " + volume_id + ": is not published at this volume_path");
  }
  csi::VolumeStats stats = volume->GetStats(options_.max_stale);
  const Result<bool> is_mount_point = mounter_.IsMountPoint(volume_path);
  if (is_mount_point && !*is_mount_point && !stats.abnormal) {
    stats.abnormal = true;
    stats.condition = "nothing is mounted at the target path; restart the pod";
  }
  return stats;
}

Status VolumeManager::Healthy() { return mounter_.Healthy(); }

void VolumeManager::Restore(std::vector<fuse::RestoredVolume> restored) {
  for (fuse::RestoredVolume& one : restored) {
    Result<VolumeRecord> record = DecodeRecord(one.metadata);
    Result<VolumeIdentity> identity = record
                                          ? ReadRequest(record->request)
                                          : Result<VolumeIdentity>(std::unexpected(record.error()));
    if (!identity) {
      LogError("volume of a former agent is served as it is, but not refreshed",
               {{log_key::kError, identity.error()}});
      MutexLock lock(mutex_);
      unmanaged_.push_back(std::move(one.volume));
      continue;
    }
    const VolumePointer volume = MakeVolume(*std::move(identity), std::move(record->source));
    volume->SetMounted(std::move(one.volume), nullptr, record->mounted_at);
    volume->RetryAt(clock_.Now(), std::nullopt);
    MutexLock lock(mutex_);
    volumes_.emplace(volume->identity().volume_id, volume);
  }
  reconciler_.Wake();
}

void VolumeManager::Reconcile() {
  reconciler_.Reconcile(Volumes(), stop_.get_token());
  // What failed is tried again in the background.
  reconciler_.Wake();
}

std::vector<VolumeStatus> VolumeManager::List() const {
  std::vector<VolumeStatus> list;
  for (const VolumePointer& volume : Volumes()) {
    list.push_back(volume->GetStatus(options_.max_stale));
  }
  return list;
}

void VolumeManager::Shutdown() {
  std::map<std::string, VolumePointer> volumes;
  std::vector<std::unique_ptr<fuse::MountedVolume>> unmanaged;
  {
    MutexLock lock(mutex_);
    // With the lock, so that no volume is registered afterwards.
    stop_.request_stop();
    std::swap(volumes, volumes_);
    std::swap(unmanaged, unmanaged_);
  }
  reconciler_.Stop();
  for (const auto& [id, volume] : volumes) volume->Stop();
  if (mirror_ != nullptr) mirror_->Stop();
}

VolumeManager::VolumePointer VolumeManager::Find(const std::string& volume_id) const {
  MutexLock lock(mutex_);
  const auto it = volumes_.find(volume_id);
  return it == volumes_.end() ? nullptr : it->second;
}

Status VolumeManager::Register(VolumePointer volume) {
  MutexLock lock(mutex_);
  if (stop_.stop_requested()) return Unavailable("publish volume: the agent is stopping");
  volumes_.emplace(volume->identity().volume_id, std::move(volume));
  return {};
}

Status VolumeManager::CheckStillWanted(const csi::PublishRequest& request) const {
  MutexLock lock(mutex_);
  const auto it = unpublished_.find(request.volume_id);
  if (it == unpublished_.end() || it->second <= request.received_at) return {};
  return MakeError(Code::kAborted, "publish volume " + request.volume_id +
                                       ": it was unpublished meanwhile; publish it again");
}

void VolumeManager::NoteUnpublished(const std::string& volume_id) {
  const Clock::TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  std::erase_if(unpublished_,
                [now](const auto& item) { return now - item.second > kLongestPublish; });
  unpublished_[volume_id] = now;
}

Status VolumeManager::CheckTargetIsFree(const std::string& volume_id,
                                        const std::string& target) const {
  MutexLock lock(mutex_);
  for (const auto& [id, volume] : volumes_) {
    if (id != volume_id && volume->identity().target == target) {
      std::string message = "volume " + volume_id + ": volume ";
      message += id + " is published at this target_path";
      return FailedPrecondition(std::move(message));
    }
  }
  return {};
}

Reconciler::VolumeList VolumeManager::Volumes() const {
  MutexLock lock(mutex_);
  Reconciler::VolumeList list;
  list.reserve(volumes_.size());
  for (const auto& [id, volume] : volumes_) list.push_back(volume);
  return list;
}

VolumeEvent VolumeManager::EventOf(VolumeEvent::Kind kind, const std::string& volume_id) const {
  VolumeEvent event{.kind = kind, .volume_id = volume_id, .error = std::nullopt};
  if (const VolumePointer volume = Find(volume_id)) {
    event.pod = volume->identity().pod;
    event.source = volume->GetSourceName();
  }
  return event;
}

void VolumeManager::Observe(VolumeEvent event, const Status& status, Clock::TimePoint start) const {
  if (!options_.observer) return;
  if (!status) event.error = status.error();
  event.duration = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - start);
  options_.observer(event);
}

}  // namespace escagent::volume
