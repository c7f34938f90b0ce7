#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"

namespace httplib {
class Server;
}

namespace escagent::status {

// The agent's HTTP listener: /healthz and /readyz ("ok", or 503 and the cause), /metrics
// (Prometheus text format), /status (JSON) and / (a page for people). Nothing here holds a value.
// Few threads, short timeouts; the callbacks run on them.
class HttpServer {
 public:
  // Headers Pulumi-Webhook-ID, -Kind and -Signature, and the body (at most 64 KiB).
  struct Webhook {
    std::string id;
    std::string kind;
    std::string signature;
    std::string body;
  };

  struct Options {
    std::string host;
    int port = 0;  // 0: any free one
    std::function<Status()> healthy;
    std::function<Status()> ready;
    std::function<std::string()> metrics;
    std::function<std::string()> status_json;
    std::function<std::string()> status_page;
    // POST /webhooks/pulumi-esc: the answer's status. Empty: there is no such path.
    std::function<int(const Webhook& webhook)> webhook;
  };

  static Result<std::unique_ptr<HttpServer>> Start(Options options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }

 private:
  HttpServer();

  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  std::jthread thread_;
};

}  // namespace escagent::status
