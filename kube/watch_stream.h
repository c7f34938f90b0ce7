#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/http_streams.h"
#include "base/mutex.h"
#include "base/secret.h"
#include "kube/resource.h"
#include "kube/watch_decoder.h"

namespace escagent::kube {

// One watch request: collects its events on the streams' thread for somebody who takes them on
// another. Holds at most `kMaxQueued` bytes of them: a watch that is ahead of its reader by more is
// ended, to be resumed when the reader has caught up. Thread-safe.
class WatchStream final : public HttpStreamHandler,
                          public std::enable_shared_from_this<WatchStream> {
 public:
  static constexpr std::size_t kMaxQueued = std::size_t{16} << 20;

  struct End {
    Status status;        // OK: the server ended the watch properly, or the reader is too slow
    int http_status = 0;  // 0: there was no answer
  };
  struct Batch {
    // When the server accepted the watch: in one batch only.
    std::optional<Clock::TimePoint> opened_at;
    std::vector<Secret> lines;
    std::optional<End> end;  // after the lines
  };

  // `action` names the watch in errors. `on_ready` is called, on any thread, when there is
  // something to take and nobody is about to.
  WatchStream(std::string action, Resource resource, HttpStreams& streams, Clock& clock,
              std::function<void()> on_ready);
  WatchStream(const WatchStream&) = delete;
  WatchStream& operator=(const WatchStream&) = delete;
  ~WatchStream() override = default;

  void Open(const HttpRequest& request, std::chrono::milliseconds idle_timeout) EXCLUDES(mutex_);
  // Ends it; on_ready is not running any more, nor will it be called.
  void Close() EXCLUDES(mutex_);

  // For the one that on_ready called: takes what has come, `max_lines` of it at most, ...
  Batch Take(std::size_t max_lines) EXCLUDES(mutex_);
  // ... and says that it is done. False: more has come meanwhile (go on; on_ready will not be
  // called). Not after the end.
  bool Done() EXCLUDES(mutex_);
  // Makes on_ready be called as if something had come.
  void Poke() EXCLUDES(mutex_);

  void OnResponse(const HttpResponse& response) override EXCLUDES(mutex_);
  void OnData(std::string_view bytes) override EXCLUDES(mutex_);
  void OnEnd(Status status) override EXCLUDES(mutex_);

 private:
  // Returns whether to call on_ready.
  [[nodiscard]] bool MarkReady() REQUIRES(mutex_);
  void EndWith(Status status) REQUIRES(mutex_);
  void CloseStream() EXCLUDES(mutex_);

  const std::string action_;
  const Resource resource_;
  HttpStreams& streams_;
  Clock& clock_;
  const std::function<void()> on_ready_;

  WatchDecoder decoder_;   // the streams' thread's
  SecretBuilder refusal_;  // the streams' thread's: the body of an answer that is not 200
  HttpResponse response_;  // the streams' thread's

  Mutex mutex_;
  std::optional<HttpStreams::StreamId> id_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  bool taking_ GUARDED_BY(mutex_) = false;  // on_ready was called, and Done not yet
  std::optional<Clock::TimePoint> opened_at_ GUARDED_BY(mutex_);  // not taken yet
  std::vector<Secret> lines_ GUARDED_BY(mutex_);
  std::size_t queued_ GUARDED_BY(mutex_) = 0;  // bytes of lines_
  std::optional<End> end_ GUARDED_BY(mutex_);
};

}  // namespace escagent::kube
