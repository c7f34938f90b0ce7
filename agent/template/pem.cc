#include "agent/template/pem.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

#include "base/secret.h"

namespace escagent::gotemplate {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Pointer = std::unique_ptr<X509, decltype(&X509_free)>;
using Names = std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)>;

std::string ToString(const ASN1_OCTET_STRING* text) {
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string AddressOf(const std::string& bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

std::vector<std::string> AlternativeNames(const X509* certificate) {
  const Names names(static_cast<GENERAL_NAMES*>(
                        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
                    &GENERAL_NAMES_free);
  std::vector<std::string> found;
  if (!names) return found;
  for (const int type : {GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI}) {
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
      int actual = 0;
      const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &actual);
      if (actual != type) continue;
      const std::string text = ToString(static_cast<const ASN1_OCTET_STRING*>(value));
      found.push_back(type == GEN_IPADD ? AddressOf(text) : text);
    }
  }
  return found;
}

// The index of the certificate whose key signed that of `child`.
std::optional<std::size_t> ParentOf(const std::vector<Certificate>& certificates,
                                    std::size_t child) {
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    if (i != child && certificates[i].subject_key_id == certificates[child].authority_key_id) {
      return i;
    }
  }
  return std::nullopt;
}

}  // namespace

PemBlock::~PemBlock() { WipeString(bytes); }

std::vector<PemBlock> ReadPem(std::string_view text) {
  std::vector<PemBlock> blocks;
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (bio && PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    PemBlock& block = blocks.emplace_back();
    block.type = name;
    block.headers = header;
    block.bytes.assign(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, static_cast<std::size_t>(size));
  }
  // The end is an error to OpenSSL.
  ERR_clear_error();
  return blocks;
}

std::string WritePem(const PemBlock& block) {
  const Bio bio(BIO_new(BIO_s_secmem()), &BIO_free);
  if (!bio) return {};
  PEM_write_bio(bio.get(), block.type.c_str(), block.headers.c_str(),
                reinterpret_cast<const unsigned char*>(block.bytes.data()),
                static_cast<long>(block.bytes.size()));
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<Certificate> ReadCertificate(PemBlock block) {
  const auto* data = reinterpret_cast<const unsigned char*>(block.bytes.data());
  const X509Pointer x509(d2i_X509(nullptr, &data, static_cast<long>(block.bytes.size())),
                         &X509_free);
  ERR_clear_error();
  if (!x509) return InvalidArgument("failed to parse certificate: a PEM block is none");
  Certificate certificate;
  certificate.subject_key_id = ToString(X509_get0_subject_key_id(x509.get()));
  certificate.authority_key_id = ToString(X509_get0_authority_key_id(x509.get()));
  certificate.alternative_names = AlternativeNames(x509.get());
  certificate.block = std::move(block);
  return certificate;
}

Result<std::vector<Certificate>> ReadChain(std::string_view text) {
  std::vector<Certificate> certificates;
  for (PemBlock& block : ReadPem(text)) {
    ESC_ASSIGN_OR_RETURN(Certificate certificate, ReadCertificate(std::move(block)));
    certificates.push_back(std::move(certificate));
  }
  std::vector<bool> is_parent(certificates.size());
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    if (const std::optional<std::size_t> parent = ParentOf(certificates, i)) {
      is_parent[*parent] = true;
    }
  }
  std::optional<std::size_t> at;
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    if (is_parent[i]) continue;
    if (at) return InvalidArgument("found multiple leaf or disjunct certificates");
    at = i;
  }
  if (!at) return InvalidArgument("no leaf certificate found");
  std::vector<std::size_t> order;
  for (; at; at = ParentOf(certificates, *at)) {
    if (order.size() == certificates.size()) {
      return InvalidArgument("constructing chain resulted in cycle");
    }
    order.push_back(*at);
  }
  std::vector<Certificate> chain;
  for (const std::size_t index : order) chain.push_back(std::move(certificates[index]));
  return chain;
}

}  // namespace escagent::gotemplate
