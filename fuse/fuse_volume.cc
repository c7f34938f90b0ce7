#include "fuse/fuse_volume.h"

#include <utility>

#include "base/log.h"

namespace escagent::fuse {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kKeepPause{1};
constexpr std::chrono::milliseconds kEndOfRotation{300};

// Makes what is prepared current. True when the kernel knows of it, having made the renames itself.
bool MakeCurrent(const FuseVolume::Host& host, Session& session, const std::string& name,
                 const Rotation& rotation) {
  Status seen = MakeError(Code::kUnimplemented, "nobody makes the renames");
  if (host.rotate) {
    seen = host.rotate(session, rotation);
    if (!seen) {
      LogWarning("watchers in the pod do not see this rotation",
                 {{log_key::kVolume, name}, {log_key::kError, seen.error()}});
    }
  }
  session.Tree().Commit();
  session.Tree().FinishRotation();
  return seen.has_value();
}

// With CacheProfile::kFull it is done when the older generation is given up: nobody tells us of
// open files, and until then who was reading one has time to finish.
void Settle(Session& session, std::uint64_t number) {
  if (session.Cache() != CacheProfile::kFull) session.Settle(number);
}

}  // namespace

bool FuseVolume::Gate::Enter(steady_clock::time_point deadline) {
  MutexLock lock(mutex_);
  while (entered_count_ != left_count_) {
    if (!left_.WaitUntil(mutex_, deadline)) return false;
  }
  ++entered_count_;
  return true;
}

void FuseVolume::Gate::Leave() {
  MutexLock lock(mutex_);
  ++left_count_;
  left_.NotifyAll();
}

bool FuseVolume::Gate::WaitUntilLeft(steady_clock::time_point deadline) {
  MutexLock lock(mutex_);
  const std::uint64_t mine = entered_count_;
  while (left_count_ < mine) {
    if (!left_.WaitUntil(mutex_, deadline)) return false;
  }
  return true;
}

FuseVolume::FuseVolume(std::shared_ptr<ServingThreads> threads, std::shared_ptr<Session> session,
                       EventLoop::SessionId session_id, std::string name, Host host)
    : threads_(std::move(threads)),
      session_(std::move(session)),
      session_id_(session_id),
      name_(std::move(name)),
      host_(std::move(host)) {}

FuseVolume::~FuseVolume() {
  // After Unmount the loop serves on until the last open file is closed.
  if (unmounted_) return;
  // Who makes the renames of a rotation would wait for a successor.
  gate_->WaitUntilLeft(steady_clock::now() + kEndOfRotation);
  threads_->loop->Remove(session_id_);
}

Status FuseVolume::Publish(const VolumeSpec& spec) {
  const auto deadline = steady_clock::now() + threads_->publish_timeout;
  const auto late = [this] {
    return MakeError(Code::kDeadlineExceeded,
                     "publish to " + name_ +
                         ": the kernel did not take the change in time; it shows when its caches "
                         "expire");
  };
  if (!gate_->Enter(deadline)) return late();

  Result<std::optional<Rotation>> rotation =
      session_->Tree().Prepare(spec, std::chrono::system_clock::now());
  if (!rotation || !*rotation) {
    gate_->Leave();
    if (!rotation) {
      return std::unexpected(Annotate(std::move(rotation).error(), "publish to " + name_));
    }
    return {};
  }
  const std::uint64_t number = (*rotation)->current->Number();
  const bool told = MakeCurrent(host_, *session_, name_, **rotation);
  ExpireLater(number);
  if (told) {
    Settle(*session_, number);
    gate_->Leave();
    return {};
  }
  if (host_.keep) KeepLater(threads_->notifier.get(), session_, gate_, host_.keep);
  threads_->notifier->Post(steady_clock::now(), [session = session_, gate = gate_,
                                                 made = **std::move(rotation), number] {
    session->Announce(made);
    Settle(*session, number);
    gate->Leave();
  });
  if (!gate_->WaitUntilLeft(deadline)) return late();
  return {};
}

// Weak: a connection whose volume is gone must not be kept open until then.
void FuseVolume::ExpireLater(std::uint64_t number) {
  threads_->notifier->Post(
      steady_clock::now() + threads_->grace,
      [weak = std::weak_ptr<Session>(session_), expired = host_.expired, number] {
        const std::shared_ptr<Session> session = weak.lock();
        if (session == nullptr) return;
        session->Settle(number);
        session->Expire(number);
        if (expired) expired(number);
      });
}

// The notifier waits for its tasks before it ends, so that they may use it.
void FuseVolume::KeepLater(Notifier* notifier, const std::weak_ptr<Session>& weak,
                           const std::shared_ptr<Gate>& gate,
                           const std::function<Status(const Session& session)>& keep) {
  notifier->Post(steady_clock::now() + kKeepPause, [notifier, weak, gate, keep] {
    const std::shared_ptr<Session> session = weak.lock();
    if (session == nullptr) return;
    Status status = Unavailable("a rotation is under way");
    if (gate->Enter(steady_clock::now())) {
      status = keep(*session);
      gate->Leave();
    }
    if (status) return;
    const Code code = status.error().code;
    if (code == Code::kUnavailable || code == Code::kDeadlineExceeded) {
      KeepLater(notifier, weak, gate, keep);
    } else {
      LogWarning("a successor of this agent will not know this volume as it is",
                 {{log_key::kError, status.error()}});
    }
  });
}

void FuseVolume::FinishInherited(bool was_made) {
  const std::optional<Rotation> rotation = session_->Tree().LastRotation();
  if (!rotation) return;
  const std::uint64_t number = rotation->current->Number();
  ExpireLater(number);
  // In the second case somebody has published here already, which does the same.
  if (was_made || !gate_->Enter(steady_clock::now())) return;
  threads_->notifier->Post(steady_clock::now(), [host = host_, session = session_, gate = gate_,
                                                 name = name_, made = *rotation, number] {
    if (!MakeCurrent(host, *session, name, made)) session->Announce(made);
    Settle(*session, number);
    gate->Leave();
  });
}

VolumeSize FuseVolume::Size() const {
  const std::shared_ptr<const Generation> current = session_->Tree().Current();
  return {.bytes = current->TotalBytes(), .inodes = current->Nodes().size()};
}

Status FuseVolume::Unmount() {
  if (unmounted_) return {};
  ESC_RETURN_IF_ERROR(host_.unmount());
  unmounted_ = true;
  return {};
}

}  // namespace escagent::fuse
