#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/unique_fd.h"
#include "csi/unix_listener.h"

namespace escagent::csi {

// One thread that accepts on the CSI and the registration socket and hands the connections on. It
// also watches a registration socket of our own: kubelet now and then misses the event of a new
// socket (kubernetes#104584), so one that kubelet has not called after some time is made again, and
// so is one that somebody removed. A socket that a successor put in its place is left alone.
//
// All methods are thread-safe.
class Acceptor {
 public:
  struct Options {
    // Without a socket: none is accepted on until one is adopted.
    UnixListener csi;
    UnixListener registration;
    std::chrono::milliseconds registration_patience;
    // Called on the thread with a connected, non-blocking socket.
    std::function<void(UniqueFd)> on_connection;
    // Whether kubelet has called the registration socket since the start.
    std::function<bool()> kubelet_called;
  };

  Acceptor(Options options, Clock& clock);
  ~Acceptor() { Stop(); }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Soon accepts on these instead, after having taken what waits in the old ones' backlogs; one
  // without a socket leaves the old one in its place. Does nothing after Stop.
  void Adopt(UnixListener csi, UnixListener registration);

  // Treats a connected, non-blocking socket as if it had been accepted. Closes it after Stop.
  void Serve(UniqueFd connection);

  // Returns when the thread has ended. Closes the sockets and removes those that are our own; what
  // waits in the backlog of another's is left to the next who accepts there.
  void Stop();

 private:
  // What other threads leave for this one. Each socket that was adopted has its turn, as callers
  // may wait in its backlog even if another follows at once.
  struct HandedIn {
    std::vector<UnixListener> csi;
    std::vector<UnixListener> registration;
    std::vector<UniqueFd> connections;
  };

  void Run(const std::stop_token& stop);
  void TakeHandedIn() EXCLUDES(mutex_);
  void Replace(UnixListener& old, UnixListener adopted);
  // Whether there was a connection.
  bool AcceptFrom(const UnixListener& listener);
  int PollTimeout() const;
  void WatchRegistration();

  // The thread's own, until it has ended.
  Options options_;
  Clock& clock_;
  Clock::TimePoint next_watch_;
  const UniqueFd wake_;

  Mutex mutex_;
  HandedIn handed_in_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;

  // Held while the thread ends, so that a second caller of Stop returns no earlier.
  Mutex stop_mutex_;
  std::jthread thread_;
};

}  // namespace escagent::csi
