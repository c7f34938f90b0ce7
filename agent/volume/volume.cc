#include "agent/volume/volume.h"

#include <utility>

#include "agent/volume/mirror_worker.h"
#include "base/log.h"

namespace escagent::volume {
namespace {

std::chrono::milliseconds Since(Clock::TimePoint start, const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock.Now() - start);
}

// The same files without their bytes.
void EmptyFiles(fuse::VolumeSpec& spec) {
  static const auto kNothing = std::make_shared<const Secret>();
  for (fuse::FileSpec& file : spec.files) file.content = kNothing;
  spec.withheld = true;
}

bool SameError(const std::optional<Failure>& failure, const Error& error) {
  return failure && failure->error.code == error.code && failure->error.message == error.message;
}

}  // namespace

Volume::Volume(VolumeIdentity identity, SourceName source, Clock& clock, VolumeObserver observer,
               MirrorWorker* mirror)
    : identity_(std::move(identity)),
      clock_(clock),
      created_at_(clock.Now()),
      observer_(std::move(observer)),
      mirror_(mirror),
      source_name_(std::move(source)) {}

Volume::~Volume() { Stop(); }

void Volume::Adopt(cache::Subscription subscription, SourceName source) {
  {
    MutexLock lock(mutex_);
    if (!stopped_) {
      std::swap(subscription_, subscription);
      source_name_ = std::move(source);
      source_failure_.reset();
      next_try_.reset();
      denied_ = false;
    }
  }
  // `subscription` is now the one to end: after the lock, since its callback may be waiting for it.
}

bool Volume::ComesFrom(const cache::EnvironmentKey& key) const {
  MutexLock lock(mutex_);
  return subscription_ && subscription_.key() == key;
}

bool Volume::HasSource() const {
  MutexLock lock(mutex_);
  return static_cast<bool>(subscription_);
}

bool Volume::RetryAt(Clock::TimePoint next_try, std::optional<Error> error) {
  MutexLock lock(mutex_);
  next_try_ = next_try;
  if (!error) {
    source_failure_.reset();
    return false;
  }
  const bool news = !SameError(source_failure_, *error);
  const Clock::TimePoint since = source_failure_ ? source_failure_->since : clock_.Now();
  source_failure_ = Failure{*std::move(error), since};
  return news;
}

void Volume::ClearRetry() {
  MutexLock lock(mutex_);
  source_failure_.reset();
  next_try_.reset();
}

std::optional<Clock::TimePoint> Volume::NextTry() const {
  MutexLock lock(mutex_);
  return next_try_;
}

SourceName Volume::GetSourceName() const {
  MutexLock lock(mutex_);
  return source_name_;
}

void Volume::SetPodSource(VolumeSource source) {
  MutexLock lock(mutex_);
  pod_source_ = std::move(source);
}

std::optional<VolumeSource> Volume::PodSource() const {
  MutexLock lock(mutex_);
  return pod_source_;
}

void Volume::SetDenied(bool denied) {
  MutexLock lock(mutex_);
  denied_ = denied;
}

bool Volume::IsRefused() const { return subscription_ ? subscription_.Status().refused : denied_; }

bool Volume::IsToBeEmpty() const {
  return identity_.attributes.on_revoke == OnRevoke::kEmpty && IsRefused();
}

Result<Volume::Rendering> Volume::Prepare() const {
  std::shared_ptr<const cache::Snapshot> newest;
  std::shared_ptr<const cache::Snapshot> shown;
  bool empty = false;
  {
    MutexLock lock(mutex_);
    if (subscription_) newest = subscription_.Status().snapshot;
    shown = shown_;
    empty = IsToBeEmpty();
  }
  if (newest == nullptr) newest = shown;
  if (newest == nullptr && identity_.attributes.optional) {
    return Rendering{nullptr, EmptySpec(identity_.attributes)};
  }
  if (newest == nullptr) {
    return Unavailable("volume " + identity_.volume_id +
                       ": its environment has not been opened since the agent's start; try again");
  }
  Result<fuse::VolumeSpec> spec = Render(newest, identity_.attributes);
  if (!spec && shown != nullptr && shown != newest) {
    newest = shown;
    spec = Render(shown, identity_.attributes);
  }
  if (!spec) return std::unexpected(std::move(spec).error());
  if (empty) EmptyFiles(*spec);
  return Rendering{std::move(newest), *std::move(spec)};
}

void Volume::SetMounted(std::unique_ptr<fuse::MountedVolume> mount,
                        std::shared_ptr<const cache::Snapshot> shown, Clock::WallTime mounted_at) {
  std::shared_ptr<fuse::MountedVolume> former = std::move(mount);
  if (mirror_ != nullptr) mirror_->Follow(identity_, shown);
  MutexLock lock(mutex_);
  std::swap(mount_, former);
  mounted_at_ = mounted_at;
  shown_ = std::move(shown);
  emptied_ = IsToBeEmpty();
  ++generation_;
  render_failure_.reset();
}

void Volume::Refresh() {
  {
    MutexLock lock(mutex_);
    if (refreshing_) {
      refresh_again_ = true;
      return;
    }
    refreshing_ = true;
  }
  for (;;) {
    RefreshOnce();
    MutexLock lock(mutex_);
    if (std::exchange(refresh_again_, false) && !stopped_) continue;
    refreshing_ = false;
    refresh_ended_.NotifyAll();
    return;
  }
}

void Volume::RefreshOnce() {
  NoteRefusal();
  std::shared_ptr<fuse::MountedVolume> mount;
  std::shared_ptr<const cache::Snapshot> newest;
  bool empty = false;
  {
    MutexLock lock(mutex_);
    // Not mounted yet: whoever mounts it refreshes afterwards.
    if (stopped_ || mount_ == nullptr) return;
    mount = mount_;
    empty = IsToBeEmpty();
    if (subscription_) newest = subscription_.Status().snapshot;
    if (!empty && (newest == nullptr || (newest == shown_ && !emptied_))) return;
  }
  if (empty) return ShowEmpty(*mount);
  Show(mount, std::move(newest));
}

void Volume::Show(const std::shared_ptr<fuse::MountedVolume>& mount,
                  std::shared_ptr<const cache::Snapshot> newest) {
  const Clock::TimePoint start = clock_.Now();
  Result<fuse::VolumeSpec> spec = Render(newest, identity_.attributes);
  if (!spec) return RecordRefresh(std::unexpected(std::move(spec).error()), Since(start, clock_));
  // Somewhere else in the environment something changed: nobody's watcher need hear of it.
  const bool same = mount->Shows(*spec);
  if (!same) {
    if (Status published = mount->Publish(*spec); !published) {
      return RecordRefresh(published, Since(start, clock_));
    }
  }
  if (mirror_ != nullptr) mirror_->Follow(identity_, newest);
  {
    MutexLock lock(mutex_);
    if (mount_ != mount) {
      // Mounted anew meanwhile, perhaps with an older snapshot: look again.
      refresh_again_ = true;
      return;
    }
    shown_ = std::move(newest);
    emptied_ = false;
    if (same) {
      render_failure_.reset();
      return;
    }
    ++generation_;
  }
  RecordRefresh({}, Since(start, clock_));
}

void Volume::ShowEmpty(fuse::MountedVolume& mount) {
  const Clock::TimePoint start = clock_.Now();
  fuse::VolumeSpec spec = mount.Shown().value_or(EmptySpec(identity_.attributes));
  EmptyFiles(spec);
  const bool same = mount.Shows(spec);
  if (!same) {
    if (Status published = mount.Publish(spec); !published) {
      return RecordRefresh(published, Since(start, clock_));
    }
  }
  {
    MutexLock lock(mutex_);
    if (mount_.get() != &mount) {
      refresh_again_ = true;
      return;
    }
    emptied_ = true;
    if (same) return;
    ++generation_;
  }
  RecordRefresh({}, Since(start, clock_));
}

void Volume::NoteRefusal() {
  VolumeEvent event{.kind = VolumeEvent::Kind::kRefuse,
                    .volume_id = identity_.volume_id,
                    .error = std::nullopt,
                    .pod = identity_.pod};
  {
    MutexLock lock(mutex_);
    const bool refused = IsRefused();
    if (refused == std::exchange(refusal_told_, refused) || !refused) return;
    event.source = source_name_;
    if (subscription_) event.error = subscription_.Status().last_error;
    if (source_failure_) event.error = source_failure_->error;
  }
  LogWarning("ESC refuses the identity of a volume",
             {{log_key::kVolume, identity_.volume_id},
              {log_key::kNamespace, identity_.pod.namespace_name},
              {log_key::kPod, identity_.pod.name}});
  if (observer_) observer_(event);
}

void Volume::RecordRefresh(const Status& status, std::chrono::milliseconds duration) {
  bool news = true;
  {
    MutexLock lock(mutex_);
    if (status) {
      render_failure_.reset();
    } else {
      news = !SameError(render_failure_, status.error());
      const Clock::TimePoint since = render_failure_ ? render_failure_->since : clock_.Now();
      render_failure_ = Failure{status.error(), since};
    }
  }
  if (status) {
    LogInfo("volume shows new values", {{log_key::kVolume, identity_.volume_id},
                                        {log_key::kNamespace, identity_.pod.namespace_name},
                                        {log_key::kPod, identity_.pod.name},
                                        {log_key::kDuration, duration}});
  } else if (news) {
    LogWarning("volume keeps its last good values",
               {{log_key::kVolume, identity_.volume_id},
                {log_key::kNamespace, identity_.pod.namespace_name},
                {log_key::kPod, identity_.pod.name},
                {log_key::kError, status.error()}});
  }
  if (!observer_) return;
  VolumeEvent event;
  event.kind = VolumeEvent::Kind::kRotate;
  event.volume_id = identity_.volume_id;
  if (!status) event.error = status.error();
  event.duration = duration;
  observer_(event);
}

bool Volume::Served() const {
  std::shared_ptr<fuse::MountedVolume> mount;
  {
    MutexLock lock(mutex_);
    mount = mount_;
  }
  return mount != nullptr && mount->Healthy();
}

Status Volume::Unmount() {
  std::shared_ptr<fuse::MountedVolume> mount;
  {
    MutexLock lock(mutex_);
    mount = mount_;
  }
  return mount == nullptr ? Status() : mount->Unmount();
}

void Volume::Stop() {
  cache::Subscription subscription;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    std::swap(subscription_, subscription);
  }
  // Waits for the callback; then only another thread's Refresh can be under way.
  subscription = cache::Subscription();
  std::shared_ptr<fuse::MountedVolume> mount;
  MutexLock lock(mutex_);
  while (refreshing_) refresh_ended_.Wait(mutex_);
  std::swap(mount_, mount);
}

Health Volume::GetHealth() const {
  Health health;
  health.render = render_failure_;
  health.source = source_failure_;
  health.refused = IsRefused();
  health.emptied = emptied_;
  if (subscription_) health.environment = subscription_.Status();
  return health;
}

std::optional<Failure> Volume::MirrorFailure() const {
  return mirror_ == nullptr ? std::nullopt : mirror_->FailureOf(identity_.volume_id);
}

VolumeStatus Volume::GetStatus(std::chrono::milliseconds max_stale) const {
  VolumeStatus status;
  status.volume_id = identity_.volume_id;
  status.target = identity_.target;
  status.pod = identity_.pod;
  status.served = Served();
  Health health;
  {
    MutexLock lock(mutex_);
    status.store = source_name_.store;
    status.environment = source_name_.environment;
    status.mounted_at = mounted_at_;
    status.generation = generation_;
    status.refused = IsRefused();
    health = GetHealth();
  }
  health.served = status.served;
  health.mirror = MirrorFailure();
  if (health.environment && health.environment->fresh_at) {
    status.refresh_age = Since(*health.environment->fresh_at, clock_);
  }
  Condition condition = DescribeCondition(health, max_stale, clock_);
  status.abnormal = condition.abnormal;
  status.condition = std::move(condition.message);
  return status;
}

csi::VolumeStats Volume::GetStats(std::chrono::milliseconds max_stale) const {
  const bool served = Served();
  csi::VolumeStats stats;
  Health health;
  std::shared_ptr<fuse::MountedVolume> mount;
  {
    MutexLock lock(mutex_);
    mount = mount_;
    health = GetHealth();
  }
  if (mount != nullptr) {
    const fuse::VolumeSize size = mount->Size();
    stats.used_bytes = static_cast<std::int64_t>(size.bytes);
    stats.used_inodes = static_cast<std::int64_t>(size.inodes);
  }
  stats.total_bytes = stats.used_bytes;
  stats.total_inodes = stats.used_inodes;
  health.served = served;
  health.mirror = MirrorFailure();
  Condition condition = DescribeCondition(health, max_stale, clock_);
  stats.abnormal = condition.abnormal;
  stats.condition = std::move(condition.message);
  return stats;
}

}  // namespace escagent::volume
