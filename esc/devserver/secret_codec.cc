#include "esc/devserver/secret_codec.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "esc/eval/envelope.h"

namespace escagent::devserver {
namespace {

constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view Text(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

Digest Hmac(const Secret& key, std::string_view text) {
  Digest digest;
  HMAC(EVP_sha256(), key.Reveal().data(), static_cast<int>(key.Size()), Bytes(text), text.size(),
       digest.data(), nullptr);
  return digest;
}

// One key for each purpose.
Secret DeriveKey(const Secret& key, std::string_view purpose) {
  Digest digest = Hmac(key, purpose);
  Secret derived(Text(digest.data(), digest.size()));
  OPENSSL_cleanse(digest.data(), digest.size());
  return derived;
}

// AES-256-GCM over `in`; the tag is written or checked. Nothing when the tag is wrong.
std::optional<Secret> Cipher(bool encrypt, const Secret& key, std::string_view nonce,
                             std::string_view in, std::array<unsigned char, kTagSize>& tag) {
  const CipherContext context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  std::string out(in.size() + kTagSize, '\0');
  auto* const bytes = reinterpret_cast<unsigned char*>(out.data());
  int size = 0;
  int rest = 0;
  bool good =
      context != nullptr &&
      EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(key.Reveal()),
                        Bytes(nonce), encrypt ? 1 : 0) == 1 &&
      EVP_CipherUpdate(context.get(), bytes, &size, Bytes(in), static_cast<int>(in.size())) == 1;
  if (good && !encrypt) {
    good = EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagSize, tag.data()) == 1;
  }
  good = good && EVP_CipherFinal_ex(context.get(), bytes + size, &rest) == 1;
  if (good && encrypt) {
    good = EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagSize, tag.data()) == 1;
  }
  std::optional<Secret> result;
  if (good) result = Secret(std::string_view(out).substr(0, in.size()));
  WipeString(out);
  return result;
}

std::unexpected<Error> NotOurs() {
  return InvalidArgument(
      "the ciphertext was not made with the key of this server's definitions; write the secret in "
      "plaintext");
}

}  // namespace

SecretCodec::SecretCodec(const Secret& key)
    : cipher_key_(DeriveKey(key, "cipher")), nonce_key_(DeriveKey(key, "nonce")) {}

Result<Secret> SecretCodec::Encrypt(std::string_view plaintext) const {
  // A nonce may serve one plaintext only; this one is made of it.
  const Digest digest = Hmac(nonce_key_, plaintext);
  const std::string_view nonce = Text(digest.data(), kNonceSize);
  std::array<unsigned char, kTagSize> tag = {};
  const std::optional<Secret> sealed = Cipher(/*encrypt=*/true, cipher_key_, nonce, plaintext, tag);
  if (!sealed) return Internal("encrypt secret: OpenSSL failed");
  SecretBuilder ciphertext;
  ciphertext.Append(nonce);
  ciphertext.Append(*sealed);
  ciphertext.Append(Text(tag.data(), tag.size()));
  return eval::EncodeEnvelope(ciphertext.Reveal());
}

Result<Secret> SecretCodec::Open(std::string_view ciphertext) const {
  if (ciphertext.size() < kNonceSize + kTagSize) return NotOurs();
  std::array<unsigned char, kTagSize> tag = {};
  ciphertext.copy(reinterpret_cast<char*>(tag.data()), kTagSize, ciphertext.size() - kTagSize);
  ciphertext.remove_suffix(kTagSize);
  std::optional<Secret> plaintext =
      Cipher(/*encrypt=*/false, cipher_key_, ciphertext.substr(0, kNonceSize),
             ciphertext.substr(kNonceSize), tag);
  if (!plaintext) return NotOurs();
  return *std::move(plaintext);
}

Result<Secret> SecretCodec::DecryptEnvelope(std::string_view envelope) const {
  const Result<Secret> ciphertext = eval::DecodeEnvelope(envelope);
  return ciphertext ? Open(ciphertext->Reveal()) : NotOurs();
}

}  // namespace escagent::devserver
