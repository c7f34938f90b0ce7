#pragma once

#include <httplib.h>

#include <memory>
#include <set>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "tests/component/base/test_certificate.h"

namespace escagent::testing {

// A cpp-httplib server on a free loopback port, running from construction (handlers are added by
// `setup`, before the first request) to destruction. Counts the connections it serves.
class LoopbackServer {
 public:
  using Setup = std::function<void(httplib::Server&)>;

  explicit LoopbackServer(const Setup& setup);
  // With TLS.
  LoopbackServer(const TestCertificate& certificate, const Setup& setup);
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  int port() const { return port_; }
  // "http://127.0.0.1:PORT" + path
  std::string Url(const std::string& path) const;
  // How many different client ports sent requests.
  std::size_t Connections() const;
  std::size_t Requests() const;

 private:
  LoopbackServer(std::unique_ptr<httplib::Server> server, std::string scheme, const Setup& setup);

  std::unique_ptr<httplib::Server> server_;
  std::string scheme_;
  int port_ = 0;
  mutable Mutex mutex_;
  std::set<int> client_ports_ GUARDED_BY(mutex_);
  std::size_t requests_ GUARDED_BY(mutex_) = 0;
  std::jthread thread_;
};

}  // namespace escagent::testing
