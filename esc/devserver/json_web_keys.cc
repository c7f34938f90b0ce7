#include "esc/devserver/json_web_keys.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/json_fields.h"
#include "base/strings.h"
#include "esc/devserver/base64_url.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;
using BigNumber = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)>;
using KeyParameters = std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using Signature = std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)>;

constexpr std::size_t kCoordinateSize = 32;  // of P-256
constexpr int kMinRsaBits = 2048;            // RFC 7518 section 3.3

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::shared_ptr<EVP_PKEY> MakeKey(const char* type, OSSL_PARAM_BLD* builder) {
  const KeyParameters parameters(OSSL_PARAM_BLD_to_param(builder), OSSL_PARAM_free);
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return {key, EVP_PKEY_free};
}

std::shared_ptr<EVP_PKEY> RsaKey(const json& jwk) {
  const auto modulus = DecodeBase64Url(StringMember(jwk, "n"));
  const auto exponent = DecodeBase64Url(StringMember(jwk, "e"));
  if (!modulus || !exponent || modulus->empty() || exponent->empty()) return nullptr;
  const BigNumber n(BN_bin2bn(Bytes(*modulus), static_cast<int>(modulus->size()), nullptr),
                    BN_free);
  const BigNumber e(BN_bin2bn(Bytes(*exponent), static_cast<int>(exponent->size()), nullptr),
                    BN_free);
  const ParameterBuilder builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  if (n == nullptr || e == nullptr || builder == nullptr || BN_num_bits(n.get()) < kMinRsaBits ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return MakeKey("RSA", builder.get());
}

std::shared_ptr<EVP_PKEY> EllipticKey(const json& jwk) {
  const auto x = DecodeBase64Url(StringMember(jwk, "x"));
  const auto y = DecodeBase64Url(StringMember(jwk, "y"));
  if (StringMember(jwk, "crv") != "P-256" || !x || !y || x->size() != kCoordinateSize ||
      y->size() != kCoordinateSize) {
    return nullptr;
  }
  const std::string point = "\x04" + *x + *y;  // uncompressed
  const ParameterBuilder builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return MakeKey("EC", builder.get());
}

// JWTs have the two numbers of an ECDSA signature side by side (RFC 7518 section 3.4), OpenSSL
// wants them in DER.
std::optional<std::string> ToDer(std::string_view raw) {
  if (raw.size() != 2 * kCoordinateSize) return std::nullopt;
  const Signature signature(ECDSA_SIG_new(), ECDSA_SIG_free);
  BigNumber r(BN_bin2bn(Bytes(raw), kCoordinateSize, nullptr), BN_free);
  BigNumber s(BN_bin2bn(Bytes(raw.substr(kCoordinateSize)), kCoordinateSize, nullptr), BN_free);
  if (signature == nullptr || r == nullptr || s == nullptr ||
      ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) {
    return std::nullopt;
  }
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  if (size <= 0) return std::nullopt;
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(signature.get(), &out);
  return der;
}

bool HasSigned(EVP_PKEY* key, std::string_view text, std::string_view signature) {
  const DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text),
                          text.size()) == 1;
}

std::unexpected<Error> TokenRefused(std::string_view why) {
  return MakeError(Code::kUnauthenticated, "verify the subject token: " + std::string(why));
}

}  // namespace

Result<JsonWebKeys> JsonWebKeys::Parse(std::string_view text, std::string_view what) {
  ESC_ASSIGN_OR_RETURN(const json document, ParseJson(text, what));
  const auto list = document.is_object() ? document.find("keys") : document.end();
  if (list == document.end() || !list->is_array()) {
    return InvalidArgument("read " + std::string(what) + ": no JWK set: it has no list \"keys\"");
  }
  JsonWebKeys keys;
  for (const json& jwk : *list) {
    if (!jwk.is_object()) continue;
    if (const std::string use = StringMember(jwk, "use"); !use.empty() && use != "sig") continue;
    const bool rsa = StringMember(jwk, "kty") == "RSA";
    if (auto key = rsa ? RsaKey(jwk) : EllipticKey(jwk)) {
      keys.keys_.push_back({StringMember(jwk, "kid"), rsa ? "RS256" : "ES256", std::move(key)});
    }
  }
  if (keys.keys_.empty()) {
    return InvalidArgument(
        "read " + std::string(what) +
        ": it has no key for RS256 (RSA of 2048 bits and more) or ES256 (P-256)");
  }
  return keys;
}

Result<json> JsonWebKeys::Verify(std::string_view token) const {
  const std::vector<std::string_view> parts = Split(token, '.');
  if (parts.size() != 3) return TokenRefused("it is no JSON Web Token");
  const auto header = DecodeBase64Url(parts[0]);
  const auto payload = DecodeBase64Url(parts[1]);
  auto signature = DecodeBase64Url(parts[2]);
  if (!header || !payload || !signature) return TokenRefused("it is no JSON Web Token");
  const auto head = ParseJson(*header, "header of the token");
  auto claims = ParseJson(*payload, "claims of the token");
  if (!head || !head->is_object() || !claims || !claims->is_object()) {
    return TokenRefused("it is no JSON Web Token");
  }
  const std::string algorithm = StringMember(*head, "alg");
  const std::string id = StringMember(*head, "kid");
  if (algorithm == "ES256") {
    signature = ToDer(*signature);
    if (!signature) return TokenRefused("its signature is not the issuer's");
  }
  bool known = false;
  for (const Key& key : keys_) {
    // The algorithm is the key's, never what the token says alone.
    if (key.algorithm != algorithm || (!id.empty() && !key.id.empty() && key.id != id)) continue;
    known = true;
    if (HasSigned(key.key.get(), token.substr(0, parts[0].size() + 1 + parts[1].size()),
                  *signature)) {
      return *std::move(claims);
    }
  }
  return TokenRefused(known ? "its signature is not the issuer's"
                            : "the issuer's JWK set has no key of its \"kid\" and \"alg\"");
}

}  // namespace escagent::devserver
