#pragma once

#include <httplib.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tests/component/base/test_certificate.h"

namespace escagent::testing {

// A cpp-httplib server on a free loopback port, running from construction (handlers are added by
// `setup`, before the first request) to destruction. Counts the connections it serves.
class LoopbackServer {
 public:
  using Setup = std::function<void(httplib::Server&)>;

  explicit LoopbackServer(const Setup& setup);
  // With TLS. `client_authority`: refuse clients without a certificate that it signed.
  LoopbackServer(const TestCertificate& certificate, const Setup& setup,
                 const TestCertificate* client_authority = nullptr);
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  int port() const { return port_; }
  // "http://127.0.0.1:PORT" + path
  std::string Url(const std::string& path) const;
  // How many different client ports sent requests.
  std::size_t Connections() const;
  std::size_t Requests() const;
  // The names (CN) in the clients' certificates, one for each request.
  std::vector<std::string> Clients() const;

 private:
  LoopbackServer(std::unique_ptr<httplib::Server> server, std::string scheme, const Setup& setup);

  std::unique_ptr<httplib::Server> server_;
  std::string scheme_;
  int port_ = 0;
  mutable Mutex mutex_;
  std::set<int> client_ports_ GUARDED_BY(mutex_);
  std::size_t requests_ GUARDED_BY(mutex_) = 0;
  std::vector<std::string> clients_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace escagent::testing
