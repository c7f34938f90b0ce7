#pragma once

#include <deque>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/http.h"
#include "base/mutex.h"
#include "base/result.h"

namespace escagent::testing {

// An HttpTransport that gives the answers a test wrote down and records what was asked. Answers are
// found by method and path (the URL without scheme, host and query). Several answers for one path
// are given in turn, the last one again and again. What nobody wrote down is an UNAVAILABLE error
// that says so. Thread-safe.
class FakeHttpTransport final : public HttpTransport {
 public:
  // A request as it was sent. The credential is kept, as tests look at it.
  struct Recorded {
    std::string method;
    std::string url;
    std::string path;
    std::string query;  // without the "?"
    std::vector<HttpHeader> headers;
    std::string authorization;  // "token abc"; empty without a credential
    std::string body;
    std::string content_type;
    std::chrono::milliseconds total_timeout{0};
  };

  FakeHttpTransport() = default;
  FakeHttpTransport(const FakeHttpTransport&) = delete;
  FakeHttpTransport& operator=(const FakeHttpTransport&) = delete;

  void Answer(std::string_view method, std::string_view path, int status, std::string_view body,
              std::vector<HttpHeader> headers = {}) EXCLUDES(mutex_);
  void AnswerError(std::string_view method, std::string_view path, Error error) EXCLUDES(mutex_);

  // Takes back what was written down for this path.
  void Forget(std::string_view method, std::string_view path) EXCLUDES(mutex_);

  std::vector<Recorded> Requests() const EXCLUDES(mutex_);

  // CANCELLED when `stop` was requested before.
  Result<HttpResponse> Send(const HttpRequest& request, std::stop_token stop) override
      EXCLUDES(mutex_);

 private:
  struct Scripted {
    int status = 0;
    std::string body;
    std::vector<HttpHeader> headers;
    Error error;  // instead of an answer, when its code is set
  };

  void Add(std::string_view method, std::string_view path, Scripted scripted) EXCLUDES(mutex_);

  mutable Mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::deque<Scripted>> answers_ GUARDED_BY(mutex_);
  std::vector<Recorded> requests_ GUARDED_BY(mutex_);
};

}  // namespace escagent::testing
