#pragma once

#include <string_view>

#include "base/secret.h"
#include "esc/devserver/secret_codec.h"

namespace escagent::devserver {

// In which form a definition shall have its static secrets.
enum class SecretForm {
  kEncrypted,  // as GET serves them
  kPlain,      // as GET .../decrypt does
  // As they are kept on disk: for people, so in plaintext. ESC encrypts secrets before it evaluates
  // them and so takes them literally; one with a "$", in which the evaluator would look for
  // references, therefore stays encrypted.
  kStored
};

// Rewrites the secrets below `values` of a definition, and nothing else. What is no such text, or a
// ciphertext of somebody else, is left as it is for the evaluator to complain about.
Secret RewriteSecrets(const SecretCodec& codec, std::string_view definition, SecretForm form);

}  // namespace escagent::devserver
