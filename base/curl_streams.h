#pragma once

#include <memory>

#include "base/curl_options.h"
#include "base/http_streams.h"

namespace escagent {

// HttpStreams on one libcurl multi handle, driven by one thread. Over HTTP/2, streams to one server
// share connections, up to the number of streams that the server allows on each.
//
// A connection of which nothing has come for as long as a stream on it may be idle is closed with
// all its streams: otherwise new streams would join it, dead as it may be. The kernel, too, gives
// up a connection whose peer is silent (TCP keepalive, TCP_USER_TIMEOUT).
//
// Its destructor ends all streams without a call to their handlers; no handler may run it.
class CurlStreams final : public HttpStreams {
 public:
  explicit CurlStreams(CurlOptions options);
  ~CurlStreams() override;
  CurlStreams(const CurlStreams&) = delete;
  CurlStreams& operator=(const CurlStreams&) = delete;

  StreamId Open(const HttpRequest& request, std::chrono::milliseconds idle_timeout,
                std::shared_ptr<HttpStreamHandler> handler) override;
  void Close(StreamId id) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent
