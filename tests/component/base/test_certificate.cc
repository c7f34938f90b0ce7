#include "tests/component/base/test_certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

namespace escagent::testing {
namespace {

constexpr long kDay = 24L * 3600;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "make a test certificate: %s failed\n", what);
  ERR_print_errors_fp(stderr);
  std::abort();
}

long NextSerial() {
  static long serial = 0;
  return ++serial;
}

// What `write` wrote.
std::string Written(const char* what, const std::function<int(BIO*)>& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  Check(write(bio.get()) == 1, what);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

TestCertificate::TestCertificate(const std::string& common_name, int valid_days)
    : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free),
      x509_(X509_new(), X509_free) {
  Check(key_ != nullptr && x509_ != nullptr, "EVP_PKEY_Q_keygen");
  X509_set_version(x509(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509()), NextSerial());
  X509_gmtime_adj(X509_getm_notBefore(x509()), -10 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(x509()), valid_days * kDay);
  X509_set_pubkey(x509(), private_key());
  AddName("CN", common_name);
}

void TestCertificate::AddName(const char* type, const std::string& value) {
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509()), type, MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
}

TestCertificate TestCertificate::Authority(const std::string& common_name, int valid_days) {
  TestCertificate made(common_name, valid_days);
  made.AddExtension(made, NID_basic_constraints, "critical,CA:TRUE");
  made.AddExtension(made, NID_key_usage, "critical,keyCertSign,cRLSign");
  made.Sign(made);
  return made;
}

TestCertificate TestCertificate::Server(const TestCertificate& authority, const std::string& names,
                                        int valid_days) {
  TestCertificate made("test server", valid_days);
  made.AddExtension(authority, NID_subject_alt_name, names);
  made.AddExtension(authority, NID_ext_key_usage, "serverAuth");
  made.Sign(authority);
  return made;
}

TestCertificate TestCertificate::Client(const TestCertificate& authority,
                                        const std::string& common_name,
                                        const std::vector<std::string>& organizations,
                                        int valid_days) {
  TestCertificate made(common_name, valid_days);
  for (const std::string& organization : organizations) made.AddName("O", organization);
  made.AddExtension(authority, NID_ext_key_usage, "clientAuth");
  made.Sign(authority);
  return made;
}

void TestCertificate::AddExtension(const TestCertificate& issuer, int nid,
                                   const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer.x509(), x509(), nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Check(extension != nullptr && X509_add_ext(x509(), extension, -1) == 1, "X509_add_ext");
  X509_EXTENSION_free(extension);
}

void TestCertificate::Sign(const TestCertificate& issuer) {
  X509_set_issuer_name(x509(), X509_get_subject_name(issuer.x509()));
  Check(X509_sign(x509(), issuer.private_key(), EVP_sha256()) > 0, "X509_sign");
}

std::string TestCertificate::Pem() const {
  return Written("PEM_write_bio_X509",
                 [this](BIO* bio) { return PEM_write_bio_X509(bio, x509()); });
}

std::string TestCertificate::KeyPem() const {
  return Written("PEM_write_bio_PrivateKey", [this](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, private_key(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace escagent::testing
