#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/http.h"
#include "base/result.h"

namespace escagent {

// Gets the parts of one streamed answer as they come. All calls are on the streams' one thread, one
// at a time, and must be short: every other stream waits.
class HttpStreamHandler {
 public:
  virtual ~HttpStreamHandler() = default;

  // The status line and the headers have arrived; the body of `response` is empty.
  virtual void OnResponse(const HttpResponse& response) = 0;
  // Some bytes of the body, not cut at any boundary. They are wiped after the call.
  virtual void OnData(std::string_view bytes) = 0;
  // The last call: OK when the server ended the answer properly; otherwise as HttpTransport::Send's
  // errors. Not called after Close.
  virtual void OnEnd(Status status) = 0;
};

// The seam for answers that go on and on (Kubernetes watches): many at once on one thread. Over
// HTTP/2 those to one server share a connection. Thread-safe.
class HttpStreams {
 public:
  using StreamId = std::uint64_t;

  virtual ~HttpStreams() = default;

  // Sends the request (its total_timeout is from the start to the response's headers; zero: none;
  // `credential` is only borrowed for the call) and returns at once. All that goes wrong is told to
  // the handler. `idle_timeout`, when not zero: the stream ends with UNAVAILABLE when no byte has
  // come for so long.
  virtual StreamId Open(const HttpRequest& request, std::chrono::milliseconds idle_timeout,
                        std::shared_ptr<HttpStreamHandler> handler) = 0;
  // Ends a stream. When it returns no call to its handler is running, nor will there be one; called
  // by the handler itself it returns at once, and that call is the last. Unknown ids are ignored.
  virtual void Close(StreamId id) = 0;
};

}  // namespace escagent
