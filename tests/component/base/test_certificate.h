#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

namespace escagent::testing {

// A certificate with its private key, made at run time so that no key lies in the repository and
// none expires.
class TestCertificate {
 public:
  // A certificate authority that signs itself.
  static TestCertificate Authority(const std::string& common_name, int valid_days = 1);
  // A server's certificate signed by `authority`. `names` is OpenSSL's subjectAltName text, for
  // example "DNS:esc.example.test,IP:127.0.0.1". Days may be negative: expired already.
  static TestCertificate Server(const TestCertificate& authority, const std::string& names,
                                int valid_days = 1);
  // A client's certificate signed by `authority`; the organizations are what Kubernetes takes for
  // groups.
  static TestCertificate Client(const TestCertificate& authority, const std::string& common_name,
                                const std::vector<std::string>& organizations = {},
                                int valid_days = 1);

  X509* x509() const { return x509_.get(); }
  EVP_PKEY* private_key() const { return key_.get(); }
  // The certificate without the key.
  std::string Pem() const;
  // The key, not encrypted.
  std::string KeyPem() const;

 private:
  TestCertificate(const std::string& common_name, int valid_days);
  void AddName(const char* type, const std::string& value);
  void AddExtension(const TestCertificate& issuer, int nid, const std::string& value);
  void Sign(const TestCertificate& issuer);

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> x509_;
};

}  // namespace escagent::testing
