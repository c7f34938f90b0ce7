#include "agent/store/token_reader.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/file.h"

namespace escagent::store {
namespace {

constexpr std::string_view kFilePrefix = "file:";
constexpr std::string_view kEnvPrefix = "env:";
constexpr std::size_t kMaxToken = std::size_t{64} << 10;
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

}  // namespace

TokenReader::TokenReader(std::string directory)
    : directory_(std::move(directory)), key_(RandomKey()) {}

Status TokenReader::Check(const SecretKeyRef& ref) {
  const bool file = ref.name.starts_with(kFilePrefix) && ref.name.size() > kFilePrefix.size();
  const bool env = ref.name.starts_with(kEnvPrefix) && ref.name.size() > kEnvPrefix.size();
  if (!file && !env) {
    // A token that was written there by mistake is not repeated.
    const bool may_be_token = ref.name.size() > 40 || ref.name.starts_with("pul-");
    return InvalidArgument("secretRef.name" +
                           (may_be_token ? std::string() : " \"" + ref.name + "\"") +
                           ": a store in a file must refer to its token with file:PATH or "
                           "env:NAME; Kubernetes Secrets cannot be read from here");
  }
  if (file && (ref.key.find('/') != std::string::npos || ref.key == "." || ref.key == "..")) {
    return InvalidArgument("secretRef.key \"" + ref.key + "\": must be the name of a file in " +
                           ref.name.substr(kFilePrefix.size()));
  }
  return {};
}

Result<Secret> TokenReader::ReadText(const SecretKeyRef& ref) const {
  if (ref.name.starts_with(kEnvPrefix)) {
    const char* value = std::getenv(ref.name.substr(kEnvPrefix.size()).c_str());
    if (value == nullptr) return NotFound("the agent's environment has no such variable");
    return Secret(std::string_view(value));
  }
  std::string path = ref.name.substr(kFilePrefix.size());
  if (!path.starts_with('/')) path = directory_ + "/" + path;
  struct stat st = {};
  if (!ref.key.empty() && stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) {
    path += "/" + ref.key;
  }
  ESC_ASSIGN_OR_RETURN(const Secret text, ReadFile(path, kMaxToken));
  return Secret(WithoutLineBreak(text.Reveal()));
}

Result<AccessToken> TokenReader::Read(const SecretKeyRef& ref) const {
  const auto fault = [&ref](std::string_view why) {
    return MakeError(Code::kUnauthenticated,
                     "read the access token from " + ref.name + ": " + std::string(why));
  };
  ESC_RETURN_IF_ERROR(Check(ref));
  Result<Secret> text = ReadText(ref);
  if (!text) return fault(text.error().message);
  if (text->Empty()) return fault("it is empty");
  // It becomes a header's value.
  if (std::ranges::any_of(text->Reveal(), [](char c) { return c <= ' ' || c > '~'; })) {
    return fault("it holds white space or control characters; write the token alone there");
  }
  AccessToken token;
  token.identity = Identity(*text);
  token.token = std::make_shared<const Secret>(*std::move(text));
  return token;
}

std::string TokenReader::Identity(const Secret& token) const {
  const auto* data = reinterpret_cast<const unsigned char*>(token.Reveal().data());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  HMAC(EVP_sha256(), key_.Reveal().data(), kKeyBytes, data, token.Size(), digest.data(), &size);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex.push_back(kHex[digest[i] >> 4]);
    hex.push_back(kHex[digest[i] & 0xF]);
  }
  return hex;
}

}  // namespace escagent::store
