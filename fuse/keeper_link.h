#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/result.h"
#include "fuse/keeper/client.h"

namespace escagent::fuse {

// The connection to esc-keeper, made anew whenever it breaks: a new keeper that took over from the
// old one listens at the same place, and so does one that was started after the old one had died.
// Thread-safe.
class KeeperLink {
 public:
  struct Callbacks {
    // A successor waits for this process to end. Must not block.
    std::function<void()> on_drain;
    // There is a new Client, which has not been told Ready yet. On the link's own thread.
    std::function<void()> on_reconnected;
  };

  // Waits up to `patience` for a keeper to listen at `socket_path`, and then for the agent before
  // this one to drain; `timeout` is for each call later. Errors as KeeperClient::Connect.
  static Result<std::unique_ptr<KeeperLink>> Connect(std::string socket_path, Callbacks callbacks,
                                                     std::chrono::milliseconds patience,
                                                     std::chrono::milliseconds timeout);
  KeeperLink(const KeeperLink&) = delete;
  KeeperLink& operator=(const KeeperLink&) = delete;
  ~KeeperLink();

  // Never none; it may have lost its connection.
  std::shared_ptr<keeper::KeeperClient> Client() const EXCLUDES(mutex_);
  // The same, but a keeper that is being replaced is waited for, until some seconds after the
  // connection to it broke. Not from on_reconnected.
  std::shared_ptr<keeper::KeeperClient> ConnectedClient() EXCLUDES(mutex_);
  // Calls `body` with that; again when it failed and another keeper has taken over meanwhile.
  Status WithKeeper(const std::function<Status(keeper::KeeperClient& client)>& body);
  bool Connected() const { return Client()->Connected(); }

  // Everything that was read from /dev/fuse is answered, and no more will be read. Does not connect
  // again.
  Status Drained() EXCLUDES(mutex_);

 private:
  KeeperLink(std::string socket_path, Callbacks callbacks, std::chrono::milliseconds timeout);
  Result<std::shared_ptr<keeper::KeeperClient>> Dial();
  void NoteDisconnected() EXCLUDES(mutex_);
  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  // False when there is nothing more to do.
  bool WaitForDisconnection(const std::stop_token& stop) EXCLUDES(mutex_);
  bool Reconnect(const std::stop_token& stop) EXCLUDES(mutex_);

  const std::string socket_path_;
  const Callbacks callbacks_;
  const std::chrono::milliseconds timeout_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool disconnected_ GUARDED_BY(mutex_) = false;
  std::optional<std::chrono::steady_clock::time_point> lost_at_ GUARDED_BY(mutex_);
  bool ending_ GUARDED_BY(mutex_) = false;  // draining: the keeper is the successor's
  std::shared_ptr<keeper::KeeperClient> client_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace escagent::fuse
