#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "fuse/event_loop.h"
#include "fuse/file_open.h"
#include "fuse/notifier.h"
#include "fuse/session.h"
#include "fuse/volume.h"

namespace escagent::fuse {

// What all volumes of a FuseMounter share: it lives as long as the mounter or any volume.
struct ServingThreads {
  std::unique_ptr<EventLoop> loop;
  // After the loop, so that it stops first: its messages need the workers to be answered.
  std::unique_ptr<Notifier> notifier;
  std::chrono::milliseconds publish_timeout{0};
  std::chrono::milliseconds grace{0};
  // May be empty.
  OpenListenerFactory open_listener;

  // Before the session is served. `metadata` is the volume's (MountOptions).
  void ListenToOpens(Session& session, std::string_view metadata) const {
    if (open_listener) session.ListenToOpens(open_listener(metadata));
  }
};

// The MountedVolume over a Session. Thread-safe.
class FuseVolume final : public MountedVolume {
 public:
  // What is left to whoever mounted it. Both may be called on any thread, one rotation at a time.
  struct Host {
    // Called between SecretTree::Prepare and Commit: keeps the prepared generation for a successor
    // and makes it the current one by a rename through the mount, which watchers see. On failure
    // the generation becomes the current one all the same, unseen by watchers. May be empty.
    std::function<Status(const Session& session, const Rotation& rotation)> rotate;
    // Keeps what the session shows for a successor, without waiting for a keeper that is away
    // (UNAVAILABLE, DEADLINE_EXCEEDED: worth another try). May be empty.
    std::function<Status(const Session& session)> keep = {};
    std::function<Status()> unmount;
    // Generations before this one are given up. May be empty.
    std::function<void(std::uint64_t number)> expired = {};
  };

  // `name` is for messages.
  FuseVolume(std::shared_ptr<ServingThreads> threads, std::shared_ptr<Session> session,
             EventLoop::SessionId session_id, std::string name, Host host);
  FuseVolume(const FuseVolume&) = delete;
  FuseVolume& operator=(const FuseVolume&) = delete;
  ~FuseVolume() override;

  // When it returns OK, every path leads to the new contents. DEADLINE_EXCEEDED when the kernel did
  // not take the news in time (a process of the pod holds the volume's folder up); the new contents
  // are shown all the same, at the latest when the kernel's caches expire.
  Status Publish(const VolumeSpec& spec) override;
  bool Shows(const VolumeSpec& spec) const override {
    return session_->Tree().Current()->Shows(spec);
  }
  std::optional<VolumeSpec> Shown() const override { return session_->Tree().Current()->ToSpec(); }
  VolumeSize Size() const override;
  // FAILED_PRECONDITION when somebody has mounted something else on top.
  Status Unmount() override;
  bool Healthy() const override { return !session_->Ended(); }
  // Brings the rotation to an end, in the background, that a predecessor was making; or, with
  // `was_made`, had made as far as anybody can see.
  void FinishInherited(bool was_made);

 private:
  // Lets one rotation at a time through; shared with the notifier, which may finish late.
  class Gate {
   public:
    // Waits for the rotation before; false when `deadline` passed.
    bool Enter(std::chrono::steady_clock::time_point deadline);
    void Leave();
    // Waits for Leave of the rotation the caller entered for.
    bool WaitUntilLeft(std::chrono::steady_clock::time_point deadline);

   private:
    Mutex mutex_;
    CondVar left_;
    std::uint64_t entered_count_ GUARDED_BY(mutex_) = 0;
    std::uint64_t left_count_ GUARDED_BY(mutex_) = 0;
  };

  const std::shared_ptr<ServingThreads> threads_;
  const std::shared_ptr<Session> session_;
  const EventLoop::SessionId session_id_;
  void ExpireLater(std::uint64_t number);
  // Until what is shown is kept: no successor may show less.
  static void KeepLater(Notifier* notifier, const std::weak_ptr<Session>& weak,
                        const std::shared_ptr<Gate>& gate,
                        const std::function<Status(const Session& session)>& keep);

  const std::string name_;
  const Host host_;
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::atomic<bool> unmounted_{false};
};

}  // namespace escagent::fuse
