#pragma once

#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "esc/eval/evaluator.h"

namespace escagent::devserver {

// The ciphertext of static secrets, which the envelope of esc/eval/envelope.h holds. The same
// plaintext always gives the same ciphertext, on every server, so that definitions can be compared
// and servers replaced. That, and a key that everybody can read here, protect nothing: the
// definitions lie in plaintext beside it. Stateless.
class SecretCodec final : public eval::Decrypter {
 public:
  // Gives an envelope.
  Result<Secret> Encrypt(std::string_view plaintext) const;
  // Of the ciphertext in an envelope. INVALID_ARGUMENT when it was not made by Encrypt().
  Result<Secret> Decrypt(std::string_view ciphertext) override;
  // The same of what Encrypt() gave.
  Result<Secret> DecryptEnvelope(std::string_view envelope);
};

}  // namespace escagent::devserver
