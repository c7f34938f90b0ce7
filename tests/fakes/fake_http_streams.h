#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/http_streams.h"

namespace escagent::testing {

// HttpStreams whose answers the test gives by hand, on its own thread. Thread-safe.
class FakeHttpStreams final : public HttpStreams {
 public:
  struct Stream {
    StreamId id = 0;
    std::string url;
    std::vector<HttpHeader> headers;
    std::chrono::milliseconds idle_timeout{0};
  };

  StreamId Open(const HttpRequest& request, std::chrono::milliseconds idle_timeout,
                std::shared_ptr<HttpStreamHandler> handler) override {
    const std::scoped_lock lock(mutex_);
    opened_.push_back({++last_id_, request.url, request.headers, idle_timeout});
    handlers_.emplace_back(last_id_, std::move(handler));
    changed_.notify_all();
    return last_id_;
  }

  // Unlike the real one it does not wait for a running call: the calls are the test's own.
  void Close(StreamId id) override {
    const std::scoped_lock lock(mutex_);
    std::erase_if(handlers_, [id](const auto& item) { return item.first == id; });
    changed_.notify_all();
  }

  // The next stream that was opened; nothing when none comes.
  std::optional<Stream> AwaitOpened() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return !opened_.empty(); })) return std::nullopt;
    Stream stream = opened_.front();
    opened_.pop_front();
    return stream;
  }
  bool AwaitClosed(StreamId id) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return Find(id) == nullptr; });
  }
  std::size_t OpenStreams() {
    const std::scoped_lock lock(mutex_);
    return handlers_.size();
  }

  void Respond(StreamId id, int status, std::vector<HttpHeader> headers = {}) {
    if (const auto handler = Handler(id)) {
      HttpResponse response;
      response.status = status;
      response.headers = std::move(headers);
      handler->OnResponse(response);
    }
  }
  void Send(StreamId id, std::string_view bytes) {
    if (const auto handler = Handler(id)) handler->OnData(bytes);
  }
  void End(StreamId id, Status status = {}) {
    const auto handler = Handler(id);
    Close(id);
    if (handler != nullptr) handler->OnEnd(std::move(status));
  }

 private:
  static constexpr std::chrono::seconds kPatience{20};

  std::shared_ptr<HttpStreamHandler> Find(StreamId id) const {
    for (const auto& [key, handler] : handlers_) {
      if (key == id) return handler;
    }
    return nullptr;
  }
  std::shared_ptr<HttpStreamHandler> Handler(StreamId id) {
    const std::scoped_lock lock(mutex_);
    return Find(id);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  StreamId last_id_ = 0;
  std::deque<Stream> opened_;
  std::vector<std::pair<StreamId, std::shared_ptr<HttpStreamHandler>>> handlers_;
};

}  // namespace escagent::testing
