#include "agent/store/access_token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace escagent::store {
namespace {

constexpr int kKeyBytes = 32;

Secret RandomKey() {
  std::array<unsigned char, kKeyBytes> bytes;
  // Without randomness there is no way to go on: TLS would not work either.
  if (RAND_bytes(bytes.data(), kKeyBytes) != 1) std::abort();
  std::string key(bytes.begin(), bytes.end());
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return Secret(std::move(key));
}

std::string_view WithoutLineBreak(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

std::string Identity(std::string_view token) {
  // One key for the process: a token that a file and a Secret both hold is one identity.
  static const Secret key = RandomKey();
  const auto* data = reinterpret_cast<const unsigned char*>(token.data());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.Reveal().data(), kKeyBytes, data, token.size(), digest.data(), &size);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex.push_back(kHex[digest[i] >> 4]);
    hex.push_back(kHex[digest[i] & 0xF]);
  }
  return hex;
}

}  // namespace

Result<AccessToken> MakeAccessToken(std::string_view text) {
  text = WithoutLineBreak(text);
  if (text.empty()) return MakeError(Code::kUnauthenticated, "it is empty");
  if (std::ranges::any_of(text, [](char c) { return c <= ' ' || c > '~'; })) {
    return MakeError(Code::kUnauthenticated,
                     "it holds white space or control characters; write the token alone there");
  }
  return AccessToken{.token = std::make_shared<const Secret>(text), .identity = Identity(text)};
}

}  // namespace escagent::store
