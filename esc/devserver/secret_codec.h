#pragma once

#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "esc/eval/evaluator.h"

namespace escagent::devserver {

// The ciphertext of static secrets in the shape that ESC's service gives it (reference/esc-api.md
// (c)): base64("escx" | version 1 | ciphertext | CRC-32), the numbers big-endian. The same
// plaintext always gives the same ciphertext, on every server, so that definitions can be compared
// and servers replaced. That, and a key that everybody can read here, protect nothing: the
// definitions lie in plaintext beside it. Stateless.
class SecretCodec final : public eval::Decrypter {
 public:
  Result<Secret> Encrypt(std::string_view plaintext) const;
  // INVALID_ARGUMENT when it was not made by Encrypt().
  Result<Secret> Decrypt(std::string_view ciphertext) override;
};

}  // namespace escagent::devserver
