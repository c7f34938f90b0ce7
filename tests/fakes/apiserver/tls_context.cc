#include "tests/fakes/apiserver/tls_context.h"

#include <arpa/inet.h>

#include <array>

namespace escagent::apiserver {
namespace {

using testing::TestCertificate;

constexpr int kValidDays = 30;

std::string NamesOf(const std::string& host) {
  std::string names = "DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:::1";
  std::array<unsigned char, 16> address{};
  const bool is_address = ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
                          ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
  if (host != "127.0.0.1" && host != "::1" && host != "localhost") {
    names += (is_address ? ",IP:" : ",DNS:") + host;
  }
  return names;
}

}  // namespace

TlsContext::TlsContext(const std::string& host)
    : authority_(TestCertificate::Authority("fake-apiserver-ca", kValidDays)),
      server_(TestCertificate::Server(authority_, NamesOf(host), kValidDays)),
      context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
  SSL_CTX_use_certificate(context_.get(), server_.x509());
  SSL_CTX_use_PrivateKey(context_.get(), server_.private_key());
  SSL_CTX_set_mode(context_.get(), SSL_MODE_AUTO_RETRY);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), authority_.x509());
  SSL_CTX_add_client_CA(context_.get(), authority_.x509());
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  // Sessions that are resumed would have to know their client.
  SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context_.get(), SSL_OP_NO_TICKET);
}

TestCertificate TlsContext::MakeClient(const std::string& user,
                                       const std::vector<std::string>& groups) const {
  return TestCertificate::Client(authority_, user, groups, kValidDays);
}

}  // namespace escagent::apiserver
