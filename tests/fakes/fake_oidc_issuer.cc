#include "tests/fakes/fake_oidc_issuer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/strings.h"

namespace escagent::testing {
namespace {

using nlohmann::json;

constexpr std::size_t kCoordinateSize = 32;

std::string EncodeBase64Url(std::string_view bytes) {
  SecretBuilder out;
  EncodeBase64(bytes, out);
  std::string text(out.Reveal());
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::string NumberOf(const EVP_PKEY* key, const char* parameter, std::size_t size = 0) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, parameter, &number) != 1) std::abort();
  if (size == 0) size = static_cast<std::size_t>(BN_num_bytes(number));
  std::vector<unsigned char> bytes(size);
  BN_bn2binpad(number, bytes.data(), static_cast<int>(size));
  BN_free(number);
  return EncodeBase64Url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// The two numbers of an ECDSA signature side by side, as JWTs have them.
std::string FromDer(const std::string& der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size()));
  if (signature == nullptr) std::abort();
  std::string raw(2 * kCoordinateSize, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, kCoordinateSize);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + kCoordinateSize, kCoordinateSize);
  ECDSA_SIG_free(signature);
  return raw;
}

}  // namespace

FakeOidcIssuer::FakeOidcIssuer(Algorithm algorithm, std::string key_id)
    : algorithm_(algorithm),
      key_id_(std::move(key_id)),
      key_(algorithm == Algorithm::kRs256
               ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048})
               : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"),
           EVP_PKEY_free) {
  if (key_ == nullptr) std::abort();
}

json FakeOidcIssuer::Jwk() const {
  json jwk = {{"use", "sig"}, {"kid", key_id_}};
  if (algorithm_ == Algorithm::kRs256) {
    jwk["kty"] = "RSA";
    jwk["alg"] = "RS256";
    jwk["n"] = NumberOf(key_.get(), OSSL_PKEY_PARAM_RSA_N);
    jwk["e"] = NumberOf(key_.get(), OSSL_PKEY_PARAM_RSA_E);
  } else {
    jwk["kty"] = "EC";
    jwk["alg"] = "ES256";
    jwk["crv"] = "P-256";
    jwk["x"] = NumberOf(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, kCoordinateSize);
    jwk["y"] = NumberOf(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, kCoordinateSize);
  }
  return jwk;
}

std::string FakeOidcIssuer::Jwks() const { return json({{"keys", {Jwk()}}}).dump(); }

std::string FakeOidcIssuer::Sign(const json& claims) const {
  const json header = {{"alg", algorithm_ == Algorithm::kRs256 ? "RS256" : "ES256"},
                       {"kid", key_id_},
                       {"typ", "JWT"}};
  const std::string text = EncodeBase64Url(header.dump()) + "." + EncodeBase64Url(claims.dump());
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::size_t size = 0;
  std::string signature;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context, nullptr, &size, bytes, text.size()) != 1) {
    std::abort();
  }
  signature.resize(size);
  if (EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                     text.size()) != 1) {
    std::abort();
  }
  signature.resize(size);
  EVP_MD_CTX_free(context);
  if (algorithm_ == Algorithm::kEs256) signature = FromDer(signature);
  return text + "." + EncodeBase64Url(signature);
}

json FakeOidcIssuer::PodClaims(const std::string& issuer, const std::string& organization,
                               const std::string& service_account_namespace,
                               const std::string& service_account, long long now,
                               long long expires) {
  return {{"iss", issuer},
          {"aud", {"urn:pulumi:org:" + organization}},
          {"sub", "system:serviceaccount:" + service_account_namespace + ":" + service_account},
          {"iat", now},
          {"nbf", now},
          {"exp", expires},
          {"kubernetes.io",
           {{"namespace", service_account_namespace},
            {"serviceaccount", {{"name", service_account}, {"uid", "uid-of-" + service_account}}},
            {"pod", {{"name", service_account + "-0"}, {"uid", "uid-of-pod"}}}}}};
}

}  // namespace escagent::testing
