#pragma once

#include <chrono>
#include <map>
#include <string>

#include "base/mutex.h"

namespace escagent::csi {

// Which connections have been accepted but have not made a call yet. gRPC refuses calls that come
// after its shutdown has begun, also from a caller that was accepted a moment before (kubelet
// makes a connection for each call). So a server that stops accepting lets those callers come
// first. Thread-safe.
class FirstCalls {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // A connection that is older and has made no call is not about to.
  static constexpr std::chrono::milliseconds kPatience{250};

  // Call it before gRPC gets the connection.
  void Expect(int fd);
  // `peer`: ServerContext::peer() of a call.
  void Arrived(const std::string& peer);
  // Returns when no connection is about to make its first call, or at the deadline.
  void Await(TimePoint deadline);

 private:
  Mutex mutex_;
  CondVar changed_;
  // By peer: when it was accepted. At most one for each number of a descriptor.
  std::map<std::string, TimePoint> expected_ GUARDED_BY(mutex_);
};

}  // namespace escagent::csi
