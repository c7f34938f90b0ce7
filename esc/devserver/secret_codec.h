#pragma once

#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "esc/eval/evaluator.h"

namespace escagent::devserver {

// The ciphertext of static secrets, which the envelope of esc/eval/envelope.h holds: AES-256-GCM
// with a key of the folder of definitions. The same plaintext always gives the same ciphertext, so
// that definitions can be compared; whoever sees two sees whether they are equal. Immutable, so
// thread-safe.
class SecretCodec final : public eval::Decrypter {
 public:
  // `key`: unpredictable bytes, 32 or more.
  explicit SecretCodec(const Secret& key);

  // Gives an envelope.
  Result<Secret> Encrypt(std::string_view plaintext) const;
  // Of the ciphertext in an envelope. INVALID_ARGUMENT when it was not made by Encrypt() with this
  // key.
  Result<Secret> Decrypt(std::string_view ciphertext) override { return Open(ciphertext); }
  // The same of what Encrypt() gave.
  Result<Secret> DecryptEnvelope(std::string_view envelope) const;

 private:
  Result<Secret> Open(std::string_view ciphertext) const;

  const Secret cipher_key_;
  const Secret nonce_key_;
};

}  // namespace escagent::devserver
