#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "tests/component/base/test_certificate.h"

namespace escagent::apiserver {

// The server's side of TLS: a certificate authority of its own, a certificate for loopback and the
// host it listens on, and client certificates. Immutable.
class TlsContext {
 public:
  explicit TlsContext(const std::string& host);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Takes client certificates of its authority, and goes without one.
  SSL_CTX* context() const { return context_.get(); }
  std::string AuthorityPem() const { return authority_.Pem(); }
  testing::TestCertificate MakeClient(const std::string& user,
                                      const std::vector<std::string>& groups) const;

 private:
  testing::TestCertificate authority_;
  testing::TestCertificate server_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
};

}  // namespace escagent::apiserver
