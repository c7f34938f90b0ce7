#include "csi/first_calls.h"

#include <algorithm>
#include <utility>

namespace escagent::csi {

void FirstCalls::Expect(int fd) {
  // What gRPC (grpc_server_add_channel_from_fd) calls the peer of a connection that it was given.
  std::string peer = "fd:" + std::to_string(fd);
  MutexLock lock(mutex_);
  expected_[std::move(peer)] = std::chrono::steady_clock::now();
}

void FirstCalls::Arrived(const std::string& peer) {
  MutexLock lock(mutex_);
  if (expected_.erase(peer) > 0) changed_.NotifyAll();
}

void FirstCalls::Await(TimePoint deadline) {
  MutexLock lock(mutex_);
  while (true) {
    const TimePoint now = std::chrono::steady_clock::now();
    std::erase_if(expected_, [now](const auto& entry) { return entry.second + kPatience <= now; });
    if (expected_.empty() || now >= deadline) return;
    const auto oldest =
        std::ranges::min_element(expected_, {}, [](const auto& e) { return e.second; });
    changed_.WaitUntil(mutex_, std::min(deadline, oldest->second + kPatience));
  }
}

}  // namespace escagent::csi
