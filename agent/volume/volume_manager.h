#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "agent/store/store_registry.h"
#include "agent/volume/mirror_worker.h"
#include "agent/volume/operation_gate.h"
#include "agent/volume/pod_sources.h"
#include "agent/volume/reconciler.h"
#include "agent/volume/secret_mirror.h"
#include "agent/volume/volume.h"
#include "agent/volume/volume_source.h"
#include "agent/volume/volume_status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "csi/volume_service.h"
#include "fuse/volume.h"

namespace escagent::volume {

// The volumes of this node: what CSI asks for, made of stores (which environment, as whom), the
// cache (its values), the renderer (what the files are) and the mounter (show them).
//
// Operations on one volume come one after the other, those on different volumes side by side; no
// lock is held while ESC, the kernel or a store is asked. Borrows everything it is given, which
// must outlive it.
//
// Rules that come from kubelet (reference/csi-contract.md 1.4, 1.8, 1.9):
// - A publish of a mounted volume is cheap and OK whatever ESC says. It only has the volume checked
//   in the background, where a changed token or store leads to a new subscription.
// - A target where something is mounted that this manager does not serve (an agent before this one
//   died), or does not serve any more, gets a new mount on top. Unmounting the dead one first would
//   cut off the running pods for good: with mountPropagation: HostToContainer they see the mount
//   that was stacked, but not one that was replaced. If that fails, the answer is UNAVAILABLE,
//   since kubelet removes the folder of a volume after any other error.
// - Volumes with `auth: pod` are opened with the token that kubelet sends along (PodIdentities):
// the
//   pod's own at its publish, the newest at each renewal. After a restart of the agent they are
//   refreshed from kubelet's next publish on.
// - Unpublish unmounts until nothing is mounted at the target, or the pod never goes away.
class VolumeManager final : public csi::VolumeService {
 public:
  struct Options {
    // From where on values are called stale in a volume's condition.
    std::chrono::milliseconds max_stale{std::chrono::hours(24)};
    // How soon a store or an optional environment that failed is asked again, when the volume has
    // no refreshInterval of its own.
    std::chrono::milliseconds retry_interval{10000};
    // How long a second operation on a volume waits for the first one, in real time.
    std::chrono::milliseconds patience{1000};
    // Writes the Secrets of `mirrorTo`; must outlive the manager. Null without an API server.
    SecretMirror* secret_mirror = nullptr;
    // Lets in the pods of volumes with `auth: pod`; must outlive the manager. Null: they are
    // refused.
    identity::PodIdentities* pods = nullptr;
    // May be empty.
    VolumeObserver observer;
  };

  VolumeManager(Options options, store::StoreRegistry& stores, cache::EnvironmentCache& cache,
                fuse::Mounter& mounter, Clock& clock, ApiFactory api_factory);
  // Shutdown.
  ~VolumeManager() override;
  VolumeManager(const VolumeManager&) = delete;
  VolumeManager& operator=(const VolumeManager&) = delete;

  Status Publish(const csi::PublishRequest& request) override EXCLUDES(mutex_);
  Status Unpublish(const std::string& volume_id, const std::string& target_path) override
      EXCLUDES(mutex_);
  Result<csi::VolumeStats> Stats(const std::string& volume_id,
                                 const std::string& volume_path) override EXCLUDES(mutex_);
  Status Healthy() override;

  // Takes over volumes that an agent before this one had mounted, as they are; what their stores
  // and ESC say is asked in the background. Before the first other call.
  void Restore(std::vector<fuse::RestoredVolume> restored) EXCLUDES(mutex_);

  // Asks every volume's store again, on the calling thread, and subscribes anew where the answer
  // changed. For when store or token files changed, and now and then.
  void Reconcile() EXCLUDES(mutex_);

  // Ordered by volume id.
  std::vector<VolumeStatus> List() const EXCLUDES(mutex_);

  // Refuses publishes, also those that wait for ESC, at their next try, and stops serving. The
  // mounts stay: the next agent's publish stacks its own on top, while an unmount would leave
  // running pods an empty folder. Only the first call does something.
  void Shutdown() EXCLUDES(mutex_);

 private:
  using VolumePointer = std::shared_ptr<Volume>;

  // `source` becomes what is known of it, however it ends.
  Status DoPublish(const csi::PublishRequest& request, SourceName& source) EXCLUDES(mutex_);
  // Waits for ESC since `asked_at`, by answering "not yet" (csi::VolumeService::Publish).
  Status PublishNew(VolumeIdentity identity, const Secret& tokens, Clock::TimePoint asked_at,
                    bool is_mount_point, SourceName& source_name) EXCLUDES(mutex_);
  VolumePointer MakeVolume(VolumeIdentity identity, SourceName source) const;
  // Whether the Secret of `mirrorTo` can be written at all.
  Status CheckMirror(const VolumeIdentity& identity) const;
  // Has the Secret of `mirrorTo` written, if there are values; "not yet" until it is.
  Status MirrorFirst(const Volume& volume, Clock::TimePoint asked_at) const;
  Status Republish(Volume& volume, const VolumeIdentity& wanted, const Secret& tokens);
  // Subscribes the volume; OK without a subscription when it is optional and there is nothing yet.
  Status SubscribeNew(Volume& volume, const VolumeSource& source, Clock::TimePoint asked_at) const;
  Status MountVolume(Volume& volume);
  Status DoUnpublish(const std::string& volume_id, const std::string& target) EXCLUDES(mutex_);

  VolumePointer Find(const std::string& volume_id) const EXCLUDES(mutex_);
  // Adds the volume to the map, unless the agent stops.
  Status Register(VolumePointer volume) EXCLUDES(mutex_);
  // ABORTED when the volume was unpublished while this publish waited for ESC: it must not come
  // back when nobody will unpublish it any more.
  Status CheckStillWanted(const csi::PublishRequest& request) const EXCLUDES(mutex_);
  void NoteUnpublished(const std::string& volume_id) EXCLUDES(mutex_);
  // FAILED_PRECONDITION when another volume is published there.
  Status CheckTargetIsFree(const std::string& volume_id, const std::string& target) const
      EXCLUDES(mutex_);
  Reconciler::VolumeList Volumes() const EXCLUDES(mutex_);
  void Observe(VolumeEvent event, const Status& status, Clock::TimePoint start) const;
  // The event of this kind with what is known of the volume.
  VolumeEvent EventOf(VolumeEvent::Kind kind, const std::string& volume_id) const EXCLUDES(mutex_);

  const Options options_;
  fuse::Mounter& mounter_;
  Clock& clock_;
  const SourceFinder sources_;
  const PodSources pod_sources_;
  // Null without Options::secret_mirror. Before the volumes, which use it.
  const std::unique_ptr<MirrorWorker> mirror_;
  std::stop_source stop_;
  OperationGate gate_;

  mutable Mutex mutex_;
  std::map<std::string, VolumePointer> volumes_ GUARDED_BY(mutex_);
  // Restored ones of which this version does not understand what they are. They go on being served.
  std::vector<std::unique_ptr<fuse::MountedVolume>> unmanaged_ GUARDED_BY(mutex_);
  // When volumes were unpublished lately.
  std::map<std::string, Clock::TimePoint> unpublished_ GUARDED_BY(mutex_);

  // Last: its thread uses everything above.
  Reconciler reconciler_;
};

}  // namespace escagent::volume
