#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/http_streams.h"
#include "base/mutex.h"

namespace escagent::testing {

// Keeps what a stream was told, for the test to wait for. Thread-safe.
class StreamRecorder final : public HttpStreamHandler {
 public:
  void OnResponse(const HttpResponse& response) override {
    const MutexLock lock(mutex_);
    status_ = response.status;
    marked_ = response.Header("X-Marked");
    changed_.NotifyAll();
  }
  void OnData(std::string_view bytes) override {
    if (on_data) on_data(bytes);
    const MutexLock lock(mutex_);
    body_.append(bytes);
    changed_.NotifyAll();
  }
  void OnEnd(Status status) override {
    const MutexLock lock(mutex_);
    end_ = std::move(status);
    ended_ = true;
    changed_.NotifyAll();
  }

  bool AwaitResponse() {
    const MutexLock lock(mutex_);
    return AwaitLocked([this]() NO_THREAD_SAFETY_ANALYSIS { return status_ != 0; });
  }
  bool AwaitBody(const std::string& text) {
    const MutexLock lock(mutex_);
    return AwaitLocked([&]() NO_THREAD_SAFETY_ANALYSIS { return body_ == text; });
  }
  // The status of the end.
  Status AwaitEnd() {
    const MutexLock lock(mutex_);
    if (!AwaitLocked([this]() NO_THREAD_SAFETY_ANALYSIS { return ended_; }))
      return Internal("no end");
    return end_;
  }
  bool ended() {
    const MutexLock lock(mutex_);
    return ended_;
  }
  int status() {
    const MutexLock lock(mutex_);
    return status_;
  }
  std::string marked() {
    const MutexLock lock(mutex_);
    return marked_;
  }
  std::string body() {
    const MutexLock lock(mutex_);
    return body_;
  }

  std::function<void(std::string_view)> on_data;

 private:
  bool AwaitLocked(const std::function<bool()>& condition) REQUIRES(mutex_) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (!changed_.WaitUntil(mutex_, deadline)) return condition();
    }
    return true;
  }

  Mutex mutex_;
  CondVar changed_;
  int status_ GUARDED_BY(mutex_) = 0;
  std::string marked_ GUARDED_BY(mutex_);
  std::string body_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;
  Status end_ GUARDED_BY(mutex_);
};

}  // namespace escagent::testing
