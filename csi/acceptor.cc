#include "csi/acceptor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/thread.h"

namespace escagent::csi {
namespace {

// How far behind the Clock the watch on an uncalled registration socket may be.
constexpr std::chrono::milliseconds kWatchResolution{500};
// How long to wait when the process is out of descriptors; the connection stays in the backlog.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

Acceptor::Acceptor(Options options, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      next_watch_(clock.Now() + options_.registration_patience),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = StartThread("csi-accept", [this](const std::stop_token& stop) { Run(stop); });
}

void Acceptor::Adopt(UnixListener csi, UnixListener registration) {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    if (csi.Fd() >= 0) handed_in_.csi.push_back(std::move(csi));
    if (registration.Fd() >= 0) handed_in_.registration.push_back(std::move(registration));
  }
  eventfd_write(wake_.Get(), 1);
}

void Acceptor::Serve(UniqueFd connection) {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    handed_in_.connections.push_back(std::move(connection));
  }
  eventfd_write(wake_.Get(), 1);
}

void Acceptor::Stop() {
  MutexLock stop_lock(stop_mutex_);
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  thread_.request_stop();
  eventfd_write(wake_.Get(), 1);
  thread_.join();
  HandedIn not_taken;
  {
    MutexLock lock(mutex_);
    not_taken = std::exchange(handed_in_, {});
  }
  options_.csi.Close();
  options_.registration.Close();
}

void Acceptor::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::array<pollfd, 3> fds{{{.fd = wake_.Get(), .events = POLLIN, .revents = 0},
                               {.fd = options_.csi.Fd(), .events = POLLIN, .revents = 0},
                               {.fd = options_.registration.Fd(), .events = POLLIN, .revents = 0}}};
    poll(fds.data(), fds.size(), PollTimeout());
    if (stop.stop_requested()) return;
    if (fds[0].revents != 0) {
      // What poll said of the old sockets is not true of the new ones.
      TakeHandedIn();
      continue;
    }
    if (fds[1].revents != 0) AcceptFrom(options_.csi);
    if (fds[2].revents != 0) AcceptFrom(options_.registration);
    WatchRegistration();
  }
}

void Acceptor::TakeHandedIn() {
  eventfd_t ignored = 0;
  eventfd_read(wake_.Get(), &ignored);
  HandedIn taken;
  {
    MutexLock lock(mutex_);
    taken = std::exchange(handed_in_, {});
  }
  for (UniqueFd& connection : taken.connections) options_.on_connection(std::move(connection));
  for (UnixListener& adopted : taken.csi) Replace(options_.csi, std::move(adopted));
  for (UnixListener& adopted : taken.registration) {
    Replace(options_.registration, std::move(adopted));
  }
}

void Acceptor::Replace(UnixListener& old, UnixListener adopted) {
  while (old.Fd() >= 0 && AcceptFrom(old)) {
  }
  LogInfo("accepting on the keeper's socket", {{log_key::kPath, adopted.Path()}});
  old = std::move(adopted);
}

bool Acceptor::AcceptFrom(const UnixListener& listener) {
  UniqueFd connection(accept4(listener.Fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection) {
    options_.on_connection(std::move(connection));
    return true;
  }
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return false;
  LogError(
      "accepting a connection failed",
      {{log_key::kPath, listener.Path()}, {log_key::kError, ErrnoError(errno, "accept").error()}});
  pollfd wake{.fd = wake_.Get(), .events = POLLIN, .revents = 0};
  poll(&wake, 1, static_cast<int>(kAcceptPause.count()));
  return false;
}

int Acceptor::PollTimeout() const {
  if (!options_.registration.IsOwn()) return -1;
  const auto timeout = options_.kubelet_called()
                           ? options_.registration_patience
                           : std::min(options_.registration_patience, kWatchResolution);
  return static_cast<int>(std::max<std::int64_t>(1, timeout.count()));
}

void Acceptor::WatchRegistration() {
  if (!options_.registration.IsOwn() || clock_.Now() < next_watch_) return;
  next_watch_ = clock_.Now() + options_.registration_patience;
  const UnixListener::Owner owner = options_.registration.PathOwner();
  const bool called = options_.kubelet_called();
  if (owner == UnixListener::Owner::kOther || (owner == UnixListener::Owner::kThis && called)) {
    return;
  }
  LogWarning(called ? "the registration socket is gone; making it again"
                    : "kubelet has not called the registration socket; making it again",
             {{log_key::kPath, options_.registration.Path()}});
  Result<UnixListener> made = UnixListener::Bind(options_.registration.Path());
  if (made) {
    options_.registration = *std::move(made);
  } else {
    LogError("making the registration socket failed", {{log_key::kError, made.error()}});
  }
}

}  // namespace escagent::csi
