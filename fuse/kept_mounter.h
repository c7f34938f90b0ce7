#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "fuse/content_pool.h"
#include "fuse/fuse_mounter.h"
#include "fuse/fuse_volume.h"
#include "fuse/journal.h"
#include "fuse/keeper_link.h"
#include "fuse/volume.h"

namespace escagent::fuse {

// The Mounter of an agent without privilege: esc-keeper mounts, unmounts, rotates, and keeps what a
// successor needs to go on: connections, journal, and of each volume a state with all that it shows
// (fuse/tree_codec.h). Volumes are at <kubelet-dir>/pods/<uid>/volumes/kubernetes.io~csi/<name>/
// mount, no others. Thread-safe.
//
// When the keeper is lost, mounted volumes are served and refreshed as before, but watchers see no
// rotations, and nothing of these volumes outlives this process.
class KeptMounter final : public Mounter {
 public:
  struct Options {
    std::string kubelet_dir;
    FuseMounter::Options serving;
  };

  // `link` must outlive the mounter and its volumes.
  static Result<std::unique_ptr<KeptMounter>> Create(Options options, KeeperLink& link);
  // Stops serving once what was read from /dev/fuse is answered; the volumes must be gone. Nothing
  // is unmounted.
  ~KeptMounter() override;

  // Goes on with everything that a process before this one had mounted; called once, before
  // anything else. What cannot be restored is unmounted: kubelet will publish it again.
  Result<std::vector<RestoredVolume>> Restore();
  // The link has connected to a keeper again.
  Status Reconnected();

  // INVALID_ARGUMENT when the mountpoint is not of the form above.
  Result<std::unique_ptr<MountedVolume>> Mount(const MountOptions& options,
                                               const VolumeSpec& spec) override;
  Result<bool> IsMountPoint(const std::string& path) const override;
  Status Remove(const std::string& volume_id, const std::string& path) override;
  // Always OK: an agent whose keeper is away is the only one left to serve its volumes, and must
  // not be restarted for it.
  Status Healthy() const override { return {}; }

 private:
  struct Inherited;

  KeptMounter(Options options, KeeperLink& link) : options_(std::move(options)), link_(link) {}
  std::shared_ptr<Journal> GetJournal() const EXCLUDES(mutex_);
  Result<keeper::Target> TargetOf(const std::string& volume_id, const std::string& path) const;

  Result<Inherited> Inherit(keeper::KeptVolume kept, ContentPool& contents) const;
  void SettleWhatWasMade(const Inherited& inherited) const;
  void HoldOpenFolders(const std::map<EventLoop::SessionId, Inherited>& inherited) const;
  void ListenToFolders(Session& session, EventLoop::SessionId id) const;
  void AnswerWhatWasRead(const std::map<EventLoop::SessionId, Inherited>& inherited, bool resend);
  Result<RestoredVolume> Serve(Inherited inherited);
  Status Add(std::shared_ptr<Session> session, EventLoop::SessionId id);
  Result<std::unique_ptr<MountedVolume>> MountFuse(const keeper::Target& target,
                                                   const MountOptions& options,
                                                   const VolumeSpec& spec);
  FuseVolume::Host HostOf(const keeper::Target& target, const std::string& metadata,
                          EventLoop::SessionId id) const;

  Result<RestoredVolume> RestoreTmpfs(keeper::KeptVolume kept);
  Result<std::unique_ptr<MountedVolume>> MountTmpfs(const keeper::Target& target,
                                                    const MountOptions& options,
                                                    const VolumeSpec& spec);
  Result<std::unique_ptr<MountedVolume>> OpenTmpfs(const keeper::Target& target,
                                                   const std::string& selinux_context, bool fresh);

  const Options options_;
  KeeperLink& link_;
  mutable Mutex mutex_;
  std::shared_ptr<Journal> journal_ GUARDED_BY(mutex_);
  std::shared_ptr<ServingThreads> threads_;
};

}  // namespace escagent::fuse
