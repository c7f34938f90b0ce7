#include "fuse/kept_mounter.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <span>
#include <utility>

#include "base/log.h"
#include "fuse/atomic_writer.h"
#include "fuse/kept_state.h"
#include "fuse/tmpfs_volume.h"
#include "fuse/tree_codec.h"

namespace escagent::fuse {
namespace {

using std::chrono::system_clock;

constexpr std::chrono::milliseconds kKeptInitTimeout{5000};

Status Keep(keeper::KeeperClient& client, const keeper::Target& target, const Session& session,
            const std::string& metadata) {
  const SavedVolume saved{.tree = session.Tree().Save(),
                          .cache = session.Cache(),
                          .init = session.Init(),
                          .metadata = metadata};
  ESC_ASSIGN_OR_RETURN(const UniqueFd state, EncodeTree(saved));
  return client.Store(target.volume, saved.tree.generations.back()->Number(), state);
}

Result<std::unique_ptr<SecretTree>> NewTree(const VolumeSpec& spec) {
  const auto now = system_clock::now();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  return SecretTree::Create(spec, static_cast<std::uint64_t>(seconds.count()), now);
}

bool IsSameFile(const UniqueFd& a, const UniqueFd& b) {
  struct stat first = {};
  struct stat second = {};
  return fstat(a.Get(), &first) == 0 && fstat(b.Get(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace

// A connection that is resumed, but not served yet.
struct KeptMounter::Inherited {
  keeper::Target target;
  std::string metadata;         // an encoded KeptState
  std::string volume_metadata;  // of which this is a part
  EventLoop::SessionId id = 0;
  std::shared_ptr<Session> session;
  bool rotation_was_made = false;
};

Result<std::unique_ptr<KeptMounter>> KeptMounter::Create(Options options, KeeperLink& link) {
  std::unique_ptr<KeptMounter> mounter(new KeptMounter(std::move(options), link));
  ESC_ASSIGN_OR_RETURN(UniqueFd memfd, link.Client()->GetJournal());
  ESC_ASSIGN_OR_RETURN(std::shared_ptr<Journal> journal, Journal::Attach(std::move(memfd)));
  const FuseMounter::Options& serving = mounter->options_.serving;
  auto threads = std::make_shared<ServingThreads>();
  ESC_ASSIGN_OR_RETURN(threads->loop, EventLoop::Create(serving.workers, journal));
  threads->notifier = std::make_unique<Notifier>(serving.notifiers);
  threads->publish_timeout = serving.publish_timeout;
  threads->grace = serving.grace;
  threads->open_listener = serving.open_listener;
  mounter->threads_ = std::move(threads);
  MutexLock lock(mounter->mutex_);
  mounter->journal_ = std::move(journal);
  return mounter;
}

KeptMounter::~KeptMounter() = default;

Result<std::vector<RestoredVolume>> KeptMounter::Restore() {
  const std::shared_ptr<keeper::KeeperClient> client = link_.Client();
  ESC_ASSIGN_OR_RETURN(std::vector<keeper::KeptVolume> kept, client->ListVolumes());
  std::vector<RestoredVolume> restored;
  std::map<EventLoop::SessionId, Inherited> inherited;
  ContentPool contents;
  for (keeper::KeptVolume& volume : kept) {
    const keeper::Target target = volume.target;
    Status status;
    if (volume.tmpfs) {
      Result<RestoredVolume> tmpfs = RestoreTmpfs(std::move(volume));
      if (tmpfs) restored.push_back(*std::move(tmpfs));
      if (!tmpfs) status = std::unexpected(tmpfs.error());
    } else {
      Result<Inherited> connection = Inherit(std::move(volume), contents);
      if (connection) inherited.emplace(connection->id, *std::move(connection));
      if (!connection) status = std::unexpected(connection.error());
    }
    if (status) continue;
    LogWarning("volume of a former agent cannot be restored; unmounting it",
               {{log_key::kVolume, target.volume}, {log_key::kError, status.error()}});
    ESC_RETURN_IF_ERROR(client->Unmount(target));
  }
  HoldOpenFolders(inherited);
  for (const auto& [id, connection] : inherited) SettleWhatWasMade(connection);
  AnswerWhatWasRead(inherited, client->PredecessorDied());
  for (auto& [id, connection] : inherited) {
    ESC_ASSIGN_OR_RETURN(RestoredVolume volume, Serve(std::move(connection)));
    restored.push_back(std::move(volume));
  }
  return restored;
}

void KeptMounter::HoldOpenFolders(
    const std::map<EventLoop::SessionId, Inherited>& inherited) const {
  const std::shared_ptr<Journal> journal = GetJournal();
  std::vector<EventLoop::SessionId> ids;
  for (const auto& [id, connection] : inherited) {
    ids.push_back(id);
    connection.session->Tree().HoldFolders(journal->Folders().Generations(id));
    ListenToFolders(*connection.session, id);
    threads_->ListenToOpens(*connection.session, connection.volume_metadata);
  }
  journal->Folders().Keep(ids);
}

// The listener is the session's own, so the session's tree outlives it.
void KeptMounter::ListenToFolders(Session& session, EventLoop::SessionId id) const {
  session.ListenToFolders(
      [journal = GetJournal(), &tree = session.Tree(), id](std::uint64_t generation, bool open) {
        if (open) {
          journal->Folders().Add(id, generation);
        } else if (!journal->Folders().Remove(id, generation)) {
          tree.ReleaseFolders(generation);
        }
      });
}

// Before anybody is answered: where a file is mounted by itself (subPath), the predecessor may have
// shown the rotation already.
void KeptMounter::SettleWhatWasMade(const Inherited& inherited) const {
  if (!inherited.rotation_was_made) return;
  SecretTree& tree = inherited.session->Tree();
  tree.FinishRotation();
  const auto age = system_clock::now() - tree.Current()->CreatedAt();
  // As FuseVolume does, which gives the older generation up when the grace is over.
  if (inherited.session->Cache() != CacheProfile::kFull || age >= options_.serving.grace) {
    inherited.session->Settle(tree.CurrentNumber());
  }
}

void KeptMounter::AnswerWhatWasRead(const std::map<EventLoop::SessionId, Inherited>& inherited,
                                    bool resend) {
  GetJournal()->Replay([&inherited](EventLoop::SessionId id, std::span<std::byte> request) {
    if (const auto it = inherited.find(id); it != inherited.end()) {
      it->second.session->Answer(request);
    }
  });
  if (!resend) return;
  for (const auto& [id, connection] : inherited) {
    const Result<bool> resent = connection.session->Resend();
    if (resent) continue;
    LogWarning("requests that a former agent lost may hang",
               {{log_key::kVolume, connection.target.volume}, {log_key::kError, resent.error()}});
  }
}

Result<KeptMounter::Inherited> KeptMounter::Inherit(keeper::KeptVolume kept,
                                                    ContentPool& contents) const {
  if (!kept.state) return NotFound("restore the volume: its mount was never finished");
  ESC_ASSIGN_OR_RETURN(SavedVolume saved, DecodeTree(kept.state, contents));
  ESC_ASSIGN_OR_RETURN(const KeptState state, KeptState::Decode(saved.metadata));
  ESC_ASSIGN_OR_RETURN(std::unique_ptr<SecretTree> tree, SecretTree::Restore(saved.tree));
  const mode_t mode = tree->Current()->FolderMode();
  const std::uint64_t number = tree->Current()->Number();
  Inherited inherited{.target = kept.target,
                      .metadata = saved.metadata,
                      .volume_metadata = state.metadata,
                      .id = kept.device_number,
                      .session = nullptr,
                      .rotation_was_made = kept.rotated == number};
  const std::shared_ptr<keeper::KeeperClient> client = link_.Client();
  if (kept.gone && !kept.aborted) {
    ESC_RETURN_IF_ERROR(client->Mount(kept.target, mode, state.selinux_context));
  }
  if (!kept.aborted) {
    Result<std::shared_ptr<Session>> resumed =
        Session::Resume(std::move(kept.device), std::move(tree), saved.cache, saved.init);
    if (resumed) {
      inherited.session = *std::move(resumed);
      return inherited;
    }
    LogWarning("the connection of a volume cannot be taken over; mounting it anew",
               {{log_key::kVolume, kept.target.volume}, {log_key::kError, resumed.error()}});
    ESC_ASSIGN_OR_RETURN(tree, SecretTree::Restore(std::move(saved.tree)));
  }
  ESC_ASSIGN_OR_RETURN(keeper::MountedDevice mounted,
                       client->Mount(kept.target, mode, state.selinux_context, /*fresh=*/true));
  inherited.id = mounted.device_number;
  ESC_ASSIGN_OR_RETURN(inherited.session, Session::Start(std::move(mounted.device), std::move(tree),
                                                         saved.cache, kKeptInitTimeout));
  ESC_RETURN_IF_ERROR(Keep(*client, kept.target, *inherited.session, saved.metadata));
  return inherited;
}

Result<RestoredVolume> KeptMounter::Serve(Inherited inherited) {
  ESC_ASSIGN_OR_RETURN(const KeptState state, KeptState::Decode(inherited.metadata));
  auto volume = std::make_unique<FuseVolume>(
      threads_, inherited.session, inherited.id, inherited.target.volume,
      HostOf(inherited.target, inherited.metadata, inherited.id));
  volume->FinishInherited(inherited.rotation_was_made);
  ESC_RETURN_IF_ERROR(Add(std::move(inherited.session), inherited.id));
  return RestoredVolume{.metadata = state.metadata, .volume = std::move(volume)};
}

Status KeptMounter::Add(std::shared_ptr<Session> session, EventLoop::SessionId id) {
  // The number was another volume's before: one that is unmounted, and over.
  threads_->loop->Remove(id);
  return threads_->loop->Add(std::move(session), id);
}

std::shared_ptr<Journal> KeptMounter::GetJournal() const {
  MutexLock lock(mutex_);
  return journal_;
}

Status KeptMounter::Reconnected() {
  ESC_ASSIGN_OR_RETURN(UniqueFd memfd, link_.Client()->GetJournal());
  if (IsSameFile(memfd, GetJournal()->Fd())) return {};
  LogWarning("this keeper is a new one: volumes of before are served, but nobody would take over",
             {});
  ESC_ASSIGN_OR_RETURN(std::shared_ptr<Journal> journal, Journal::Attach(std::move(memfd)));
  threads_->loop->UseJournal(journal);
  MutexLock lock(mutex_);
  journal_ = std::move(journal);
  return {};
}

Result<std::unique_ptr<MountedVolume>> KeptMounter::Mount(const MountOptions& options,
                                                          const VolumeSpec& spec) {
  ESC_ASSIGN_OR_RETURN(const keeper::Target target,
                       TargetOf(options.volume_id, options.mountpoint));
  Result<std::unique_ptr<MountedVolume>> volume = options.backend == Backend::kTmpfs
                                                      ? MountTmpfs(target, options, spec)
                                                      : MountFuse(target, options, spec);
  if (volume) return volume;
  if (const Status undone = link_.ConnectedClient()->Unmount(target); !undone) {
    LogWarning("failed mount could not be undone",
               {{log_key::kVolume, target.volume}, {log_key::kError, undone.error()}});
  }
  return std::unexpected(
      Annotate(std::move(volume).error(), "mount volume at " + options.mountpoint));
}

Result<std::unique_ptr<MountedVolume>> KeptMounter::MountFuse(const keeper::Target& target,
                                                              const MountOptions& options,
                                                              const VolumeSpec& spec) {
  ESC_ASSIGN_OR_RETURN(std::unique_ptr<SecretTree> tree, NewTree(spec));
  const std::shared_ptr<keeper::KeeperClient> client = link_.ConnectedClient();
  ESC_ASSIGN_OR_RETURN(keeper::MountedDevice mounted,
                       client->Mount(target, spec.folder_mode, options.selinux_context, true));
  ESC_ASSIGN_OR_RETURN(
      std::shared_ptr<Session> session,
      Session::Start(std::move(mounted.device), std::move(tree), options.cache, kKeptInitTimeout));
  const std::string metadata = KeptState::Of(options).Encode();
  ESC_RETURN_IF_ERROR(Keep(*client, target, *session, metadata));
  ListenToFolders(*session, mounted.device_number);
  threads_->ListenToOpens(*session, options.metadata);
  ESC_RETURN_IF_ERROR(Add(session, mounted.device_number));
  return std::make_unique<FuseVolume>(threads_, std::move(session), mounted.device_number,
                                      target.volume,
                                      HostOf(target, metadata, mounted.device_number));
}

FuseVolume::Host KeptMounter::HostOf(const keeper::Target& target, const std::string& metadata,
                                     EventLoop::SessionId id) const {
  KeeperLink* const link = &link_;
  return {.rotate = [link, target, metadata, timeout = options_.serving.publish_timeout](
                        const Session& session, const Rotation& rotation) -> Status {
            // A generation that the keeper does not keep must not be shown.
            return link->WithKeeper([&](keeper::KeeperClient& client) -> Status {
              ESC_RETURN_IF_ERROR(Keep(client, target, session, metadata));
              return client.Rotate(target.volume, rotation.previous->Number(),
                                   rotation.current->Number(), timeout);
            });
          },
          .keep = [link, target, metadata](const Session& session) -> Status {
            const std::shared_ptr<keeper::KeeperClient> client = link->Client();
            if (!client->Connected()) return Unavailable("keep a volume: the keeper is away");
            return Keep(*client, target, session, metadata);
          },
          .unmount = [link, target] { return link->ConnectedClient()->Unmount(target); },
          .expired = [journal = GetJournal(),
                      id](std::uint64_t number) { journal->Folders().RemoveBefore(id, number); }};
}

Result<std::unique_ptr<MountedVolume>> KeptMounter::MountTmpfs(const keeper::Target& target,
                                                               const MountOptions& options,
                                                               const VolumeSpec& spec) {
  const KeptState state = KeptState::Of(options);
  ESC_ASSIGN_OR_RETURN(std::unique_ptr<MountedVolume> volume,
                       OpenTmpfs(target, state.selinux_context, /*fresh=*/true));
  ESC_RETURN_IF_ERROR(volume->Publish(spec));
  ESC_ASSIGN_OR_RETURN(const UniqueFd memfd, keeper::KeeperClient::SealedMemfd(state.Encode()));
  ESC_RETURN_IF_ERROR(link_.ConnectedClient()->Store(target.volume, 0, memfd));
  return volume;
}

Result<RestoredVolume> KeptMounter::RestoreTmpfs(keeper::KeptVolume kept) {
  if (!kept.state) return NotFound("restore the volume: its mount was never finished");
  ESC_ASSIGN_OR_RETURN(const KeptState state, KeptState::Read(kept.state));
  ESC_ASSIGN_OR_RETURN(std::unique_ptr<MountedVolume> volume,
                       OpenTmpfs(kept.target, state.selinux_context, /*fresh=*/false));
  return RestoredVolume{.metadata = state.metadata, .volume = std::move(volume)};
}

Result<std::unique_ptr<MountedVolume>> KeptMounter::OpenTmpfs(const keeper::Target& target,
                                                              const std::string& selinux_context,
                                                              bool fresh) {
  KeeperLink* const link = &link_;
  ESC_ASSIGN_OR_RETURN(
      keeper::MountedTmpfs mounted,
      link->ConnectedClient()->MountTmpfs(target, 0755, keeper::kMaxTmpfsSize, geteuid(), getegid(),
                                          selinux_context, fresh));
  if (!mounted.noswap) {
    LogWarning("this kernel may swap the volume's memory (noswap is of Linux 6.4)",
               {{log_key::kVolume, target.volume}});
  }
  AtomicWriter writer(std::move(mounted.root),
                      [link, target](std::string_view path, uid_t uid, gid_t gid) {
                        return link->ConnectedClient()->Chown(target.volume, path, uid, gid);
                      });
  return std::make_unique<TmpfsVolume>(
      std::move(writer), "volume " + target.volume,
      [link, target] { return link->ConnectedClient()->Unmount(target); });
}

Result<keeper::Target> KeptMounter::TargetOf(const std::string& volume_id,
                                             const std::string& path) const {
  const std::string pods = options_.kubelet_dir + "/pods/";
  constexpr std::string_view kVolumes = "/volumes/kubernetes.io~csi/";
  constexpr std::string_view kMount = "/mount";
  const std::size_t volumes = path.find(kVolumes, pods.size());
  if (path.starts_with(pods) && path.ends_with(kMount) && volumes != std::string::npos &&
      volumes + kVolumes.size() < path.size() - kMount.size()) {
    const std::size_t name = volumes + kVolumes.size();
    keeper::Target target{.volume = volume_id,
                          .pod_uid = path.substr(pods.size(), volumes - pods.size()),
                          .volume_name = path.substr(name, path.size() - kMount.size() - name)};
    const std::string parts = target.pod_uid + target.volume_name;
    if (!target.pod_uid.empty() && parts.find('/') == std::string::npos) return target;
  }
  return InvalidArgument("target_path " + path + ": with a keeper it must be " + pods +
                         "<uid>/volumes/kubernetes.io~csi/<name>/mount; is --kubelet-dir right?");
}

Result<bool> KeptMounter::IsMountPoint(const std::string& path) const {
  ESC_ASSIGN_OR_RETURN(const keeper::Target target, TargetOf("", path));
  Result<bool> mounted = link_.ConnectedClient()->Probe(target);
  if (!mounted && mounted.error().code == Code::kNotFound) return false;
  return mounted;
}

Status KeptMounter::Remove(const std::string& volume_id, const std::string& path) {
  ESC_ASSIGN_OR_RETURN(const keeper::Target target, TargetOf(volume_id, path));
  return link_.ConnectedClient()->Unmount(target);
}

}  // namespace escagent::fuse
