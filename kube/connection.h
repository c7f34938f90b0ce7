#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/http.h"
#include "base/result.h"
#include "base/secret.h"
#include "kube/config.h"

namespace escagent::kube {

// An API server's address and the credential of the moment: makes requests that Client and
// InformerPool send. Token files are read again at most once a second, and when their text changed
// the new one is used; an exec plugin is run again before its credential expires, and after a 401.
// Thread-safe.
class Connection {
 public:
  struct Request {
    HttpRequest http;  // http.credential points to `token`
    std::shared_ptr<const Secret> token;
  };

  // `clock` outlives it.
  Connection(Config config, Clock& clock);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // A request for `path_and_query` ("/api/v1/..."), without a body. May run the exec plugin, hence
  // blocks, 30 s at most. UNAUTHENTICATED says why there is no credential.
  Result<Request> Prepare(std::string_view method, std::string_view path_and_query,
                          const std::stop_token& stop);
  // The server answered 401 to this token: the next Prepare gets another one if it can.
  void Refused(const std::shared_ptr<const Secret>& token);

  const Config& config() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::kube
