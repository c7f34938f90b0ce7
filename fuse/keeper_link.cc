#include "fuse/keeper_link.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/thread.h"

namespace escagent::fuse {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstPause{10};
constexpr std::chrono::milliseconds kLongestPause{1000};
// A new keeper takes over within milliseconds; one that is gone must not hold hundreds of volumes
// up, each for so long.
constexpr std::chrono::milliseconds kReplacement{2000};

}  // namespace

KeeperLink::KeeperLink(std::string socket_path, Callbacks callbacks,
                       std::chrono::milliseconds timeout)
    : socket_path_(std::move(socket_path)), callbacks_(std::move(callbacks)), timeout_(timeout) {}

KeeperLink::~KeeperLink() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

Result<std::unique_ptr<KeeperLink>> KeeperLink::Connect(std::string socket_path,
                                                        Callbacks callbacks,
                                                        std::chrono::milliseconds patience,
                                                        std::chrono::milliseconds timeout) {
  std::unique_ptr<KeeperLink> link(
      new KeeperLink(std::move(socket_path), std::move(callbacks), timeout));
  const auto deadline = steady_clock::now() + patience;
  Result<std::shared_ptr<keeper::KeeperClient>> client = link->Dial();
  while (!client && client.error().code == Code::kUnavailable && steady_clock::now() < deadline) {
    {
      MutexLock lock(link->mutex_);
      link->changed_.WaitUntil(link->mutex_, steady_clock::now() + kFirstPause);
    }
    client = link->Dial();
  }
  if (!client) return std::unexpected(std::move(client).error());
  {
    MutexLock lock(link->mutex_);
    link->client_ = *std::move(client);
  }
  link->thread_ = StartThread("keeper-link",
                              [raw = link.get()](const std::stop_token& stop) { raw->Run(stop); });
  return link;
}

Result<std::shared_ptr<keeper::KeeperClient>> KeeperLink::Dial() {
  return keeper::KeeperClient::Connect(socket_path_,
                                       {.on_drain =
                                            [this] {
                                              {
                                                MutexLock lock(mutex_);
                                                ending_ = true;
                                              }
                                              if (callbacks_.on_drain) callbacks_.on_drain();
                                            },
                                        .on_disconnected = [this] { NoteDisconnected(); }},
                                       timeout_);
}

std::shared_ptr<keeper::KeeperClient> KeeperLink::Client() const {
  MutexLock lock(mutex_);
  return client_;
}

std::shared_ptr<keeper::KeeperClient> KeeperLink::ConnectedClient() {
  const auto asked_at = steady_clock::now();
  MutexLock lock(mutex_);
  // The client knows a moment before NoteDisconnected.
  while (!client_->Connected() && !ending_ &&
         steady_clock::now() < lost_at_.value_or(asked_at) + kReplacement) {
    changed_.WaitUntil(mutex_, lost_at_.value_or(asked_at) + kReplacement);
  }
  return client_;
}

Status KeeperLink::WithKeeper(const std::function<Status(keeper::KeeperClient& client)>& body) {
  while (true) {
    const std::shared_ptr<keeper::KeeperClient> client = ConnectedClient();
    Status status = body(*client);
    if (status || client->Connected() || !ConnectedClient()->Connected()) return status;
  }
}

Status KeeperLink::Drained() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  return Client()->Drained();
}

void KeeperLink::NoteDisconnected() {
  MutexLock lock(mutex_);
  disconnected_ = true;
  if (!lost_at_) lost_at_ = steady_clock::now();
  changed_.NotifyAll();
}

void KeeperLink::Run(const std::stop_token& stop) {
  while (WaitForDisconnection(stop)) {
    LogWarning("the connection to esc-keeper is gone; volumes go on being served, connecting anew",
               {{log_key::kPath, socket_path_}});
    if (!Reconnect(stop)) return;
    LogInfo("connected to esc-keeper again", {{log_key::kPath, socket_path_}});
    if (callbacks_.on_reconnected) callbacks_.on_reconnected();
  }
}

bool KeeperLink::WaitForDisconnection(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!disconnected_ && !ending_ && !stop.stop_requested()) changed_.Wait(mutex_);
  return disconnected_ && !ending_;
}

bool KeeperLink::Reconnect(const std::stop_token& stop) {
  std::chrono::milliseconds pause = kFirstPause;
  while (true) {
    {
      MutexLock lock(mutex_);
      if (ending_ || stop.stop_requested()) return false;
      disconnected_ = false;
    }
    Result<std::shared_ptr<keeper::KeeperClient>> client = Dial();
    std::shared_ptr<keeper::KeeperClient> former;
    MutexLock lock(mutex_);
    if (client) {
      former = std::exchange(client_, *std::move(client));
      lost_at_.reset();
      changed_.NotifyAll();
      return true;
    }
    changed_.WaitUntil(mutex_, steady_clock::now() + pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

}  // namespace escagent::fuse
