#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/unique_fd.h"

namespace escagent::testing {

// A socket bound to a free port of 127.0.0.1 and listening.
struct Listener {
  UniqueFd fd;
  int port = 0;
};
Listener ListenOnLoopback(int backlog);

// Reads until the blank line after the headers of a request; "" when the peer closed before.
std::string ReadRequestHead(int fd);
// Writes all of `bytes`, or as much as the peer takes.
void WriteAll(int fd, std::string_view bytes);

// A TCP server on loopback for what a decent HTTP server does not do: half answers, resets,
// silence. The handler is called on a thread of its own for each connection, with the head of its
// first request; the connection is closed when it returns. Destruction shuts every connection down,
// which ends handlers that block on them, and joins.
class RawServer {
 public:
  using Handler = std::function<void(int fd, const std::string& request_head)>;

  explicit RawServer(Handler handler);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  int port() const { return listener_.port; }
  std::string Url(const std::string& path) const;
  // The first request head of each connection so far.
  std::vector<std::string> Heads() const;

 private:
  struct Connection {
    UniqueFd fd;
    std::jthread thread;
  };
  void AcceptLoop();
  void Serve(int fd);

  const Handler handler_;
  Listener listener_;
  mutable Mutex mutex_;
  std::vector<std::string> heads_ GUARDED_BY(mutex_);
  // Only the accepting thread adds; the destructor reads after it has joined that thread.
  std::vector<Connection> connections_;
  std::jthread acceptor_;
};

}  // namespace escagent::testing
