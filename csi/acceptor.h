#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "csi/unix_listener.h"

namespace escagent::csi {

// One thread that accepts on the CSI and the registration socket and hands the connections on. It
// also watches the registration socket: kubelet now and then misses the event of a new socket
// (kubernetes#104584), so one that kubelet has not called after some time is made again, and so
// is one that somebody removed. A socket that a successor put in its place is left alone.
//
// The destructor stops the thread and removes the sockets.
class Acceptor {
 public:
  struct Options {
    UnixListener csi;
    // Without a socket: no registration.
    UnixListener registration;
    std::chrono::milliseconds registration_patience;
    // Called on the thread with a connected, non-blocking socket.
    std::function<void(UniqueFd)> on_connection;
    // Whether kubelet has called the registration socket since the start.
    std::function<bool()> kubelet_called;
  };

  Acceptor(Options options, Clock& clock);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  void Run(const std::stop_token& stop);
  void AcceptFrom(const UnixListener& listener);
  int PollTimeout() const;
  void WatchRegistration();

  Options options_;
  Clock& clock_;
  const std::string registration_path_;
  Clock::TimePoint next_watch_;
  UniqueFd wake_;
  std::jthread thread_;
};

}  // namespace escagent::csi
