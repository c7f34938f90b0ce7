#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "agent/cache/snapshot.h"
#include "agent/volume/renderer.h"
#include "agent/volume/volume_attributes.h"
#include "agent/volume/volume_condition.h"
#include "agent/volume/volume_identity.h"
#include "agent/volume/volume_source.h"
#include "agent/volume/volume_status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "csi/volume_service.h"
#include "fuse/volume.h"

namespace escagent::volume {

class MirrorWorker;

// One volume: a subscription to its environment on one side, a mount on the other, and the
// rendering between them. The subscription's callback is Refresh().
//
// Thread-safe. The lock is held for the exchange of pointers only, never while rendering, while the
// mount is told, or while a subscription ends (which waits for its callback, which needs the lock).
// Callbacks hold a plain pointer: Stop(), which the destructor calls too, ends them first.
class Volume {
 public:
  // A snapshot and what this volume shows of it. `snapshot` is null for the empty tree of an
  // optional volume.
  struct Rendering {
    std::shared_ptr<const cache::Snapshot> snapshot;
    fuse::VolumeSpec spec;
  };

  // `mirror` keeps the Secret of `mirrorTo`; null without one. It and the clock must outlive the
  // volume.
  Volume(VolumeIdentity identity, SourceName source, Clock& clock, VolumeObserver observer,
         MirrorWorker* mirror);
  ~Volume();
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  const VolumeIdentity& identity() const { return identity_; }
  Clock::TimePoint created_at() const { return created_at_; }

  // Takes a (new) subscription and ends the one before it. Not from within a callback. After Stop
  // the subscription just ends.
  void Adopt(cache::Subscription subscription, SourceName source) EXCLUDES(mutex_);
  // Whether the values come from this environment and identity already.
  bool ComesFrom(const cache::EnvironmentKey& key) const EXCLUDES(mutex_);
  bool HasSource() const EXCLUDES(mutex_);
  SourceName GetSourceName() const EXCLUDES(mutex_);

  // With `auth: pod`: where the values come from now, as the pod's newest token has it. Nothing
  // after a restart of the agent, until kubelet brings one.
  void SetPodSource(VolumeSource source) EXCLUDES(mutex_);
  std::optional<VolumeSource> PodSource() const EXCLUDES(mutex_);

  // Whether ESC refused the identity when nothing was subscribed to yet, as after a restart.
  void SetDenied(bool denied) EXCLUDES(mutex_);

  // The store or its environment cannot be used, or (no error) an optional volume's environment is
  // not there yet: remembered for the condition, and for when to try again. The values shown stay.
  // True when the error is another one than before.
  bool RetryAt(Clock::TimePoint next_try, std::optional<Error> error) EXCLUDES(mutex_);
  // All is well again.
  void ClearRetry() EXCLUDES(mutex_);
  // When to ask the store again; nothing when all is well.
  std::optional<Clock::TimePoint> NextTry() const EXCLUDES(mutex_);

  // What to mount now: of the newest snapshot, or, when that cannot be shown but another one is
  // being shown, of that one. UNAVAILABLE when there is neither yet, for a restored volume.
  Result<Rendering> Prepare() const EXCLUDES(mutex_);
  // The volume is mounted (again) and shows `shown`; null for the empty tree, or what an agent
  // before this one showed. A mount from before is not served any more from here, but stays mounted
  // below the new one.
  void SetMounted(std::unique_ptr<fuse::MountedVolume> mount,
                  std::shared_ptr<const cache::Snapshot> shown, Clock::WallTime mounted_at)
      EXCLUDES(mutex_);
  // Shows the newest snapshot, if it is another one than what is shown and looks different. On
  // failure what is shown stays. Concurrent calls end at once; the one under way does their work.
  void Refresh() EXCLUDES(mutex_);

  // Whether the kernel has the mount and it is served.
  bool Served() const EXCLUDES(mutex_);
  Status Unmount() EXCLUDES(mutex_);
  // Ends the subscription, waits for a rendering under way, and ends the serving. Unmounts nothing.
  void Stop() EXCLUDES(mutex_);

  VolumeStatus GetStatus(std::chrono::milliseconds max_stale) const EXCLUDES(mutex_);
  csi::VolumeStats GetStats(std::chrono::milliseconds max_stale) const EXCLUDES(mutex_);

 private:
  void RefreshOnce() EXCLUDES(mutex_);
  // Shows the newest snapshot.
  void Show(const std::shared_ptr<fuse::MountedVolume>& mount,
            std::shared_ptr<const cache::Snapshot> newest) EXCLUDES(mutex_);
  // Shows empty files of the same names.
  void ShowEmpty(fuse::MountedVolume& mount) EXCLUDES(mutex_);
  // Whether ESC refuses the identity now.
  bool IsRefused() const REQUIRES(mutex_);
  // IsRefused, and the files are to be empty then.
  bool IsToBeEmpty() const REQUIRES(mutex_);
  // Tells the observer when ESC begins to refuse the identity.
  void NoteRefusal() EXCLUDES(mutex_);
  void RecordRefresh(const Status& status, std::chrono::milliseconds duration) EXCLUDES(mutex_);
  Health GetHealth() const REQUIRES(mutex_);
  // Of the Secret of `mirrorTo`.
  std::optional<Failure> MirrorFailure() const;

  const VolumeIdentity identity_;
  Clock& clock_;
  const Clock::TimePoint created_at_;
  const VolumeObserver observer_;
  MirrorWorker* const mirror_;

  mutable Mutex mutex_;
  CondVar refresh_ended_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  cache::Subscription subscription_ GUARDED_BY(mutex_);
  SourceName source_name_ GUARDED_BY(mutex_);
  std::optional<VolumeSource> pod_source_ GUARDED_BY(mutex_);
  bool denied_ GUARDED_BY(mutex_) = false;
  bool refusal_told_ GUARDED_BY(mutex_) = false;
  std::optional<Failure> source_failure_ GUARDED_BY(mutex_);
  std::optional<Clock::TimePoint> next_try_ GUARDED_BY(mutex_);

  // Shared only with a refresh under way.
  std::shared_ptr<fuse::MountedVolume> mount_ GUARDED_BY(mutex_);
  Clock::WallTime mounted_at_ GUARDED_BY(mutex_);
  std::shared_ptr<const cache::Snapshot> shown_ GUARDED_BY(mutex_);
  // The files are empty since ESC refuses the identity.
  bool emptied_ GUARDED_BY(mutex_) = false;
  std::uint64_t generation_ GUARDED_BY(mutex_) = 0;
  std::optional<Failure> render_failure_ GUARDED_BY(mutex_);
  bool refreshing_ GUARDED_BY(mutex_) = false;
  bool refresh_again_ GUARDED_BY(mutex_) = false;
};

}  // namespace escagent::volume
