#pragma once

#include <httplib.h>

#include <memory>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "tests/component/base/test_certificate.h"

namespace escagent::testing {

// An HTTPS server on loopback before the dev server, which does what a proxy, a network and a
// broken backend do. It passes requests on unless told otherwise. Thread-safe, but for Start and
// Stop, which belong to the test.
class EscFront {
 public:
  enum class Mode {
    kPass,
    kError,     // 503
    kBusy,      // 429 with Retry-After: 2
    kHang,      // no answer
    kTruncate,  // half of the body that was announced
    kGarbage    // 200 with a page that is no JSON
  };

  // `upstream`: "http://127.0.0.1:port".
  explicit EscFront(std::string upstream);
  ~EscFront();
  EscFront(const EscFront&) = delete;
  EscFront& operator=(const EscFront&) = delete;

  // Listens with this certificate, on the port of the last time.
  void Start(const TestCertificate& certificate);
  // Closes every connection.
  void Stop();
  void SetMode(Mode mode) EXCLUDES(mutex_);
  int port() const { return port_; }

 private:
  void Answer(const httplib::Request& request, httplib::Response& response) EXCLUDES(mutex_);
  void Forward(const httplib::Request& request, httplib::Response& response) const;

  const std::string upstream_;
  int port_ = 0;
  Mutex mutex_;
  CondVar changed_;
  Mode mode_ GUARDED_BY(mutex_) = Mode::kPass;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::unique_ptr<httplib::SSLServer> server_;
  std::jthread thread_;
};

}  // namespace escagent::testing
