#pragma once

#include <optional>
#include <string_view>

#include "esc/edit/yaml_tree.h"

namespace escagent::edit {

// A static secret as a definition writes it: `fn::secret: text` as people submit it, or
// `fn::secret: {ciphertext: base64}` as ESC keeps it.
struct SecretLiteral {
  bool encrypted = false;
  const YamlNode* text = nullptr;      // the plaintext or the ciphertext
  const YamlNode* argument = nullptr;  // the whole argument of fn::secret
};

// Nothing when `node` is no such call.
std::optional<SecretLiteral> AsSecretLiteral(const YamlNode& node);

// The name of the built-in function that a node calls ("fn::open"), or "".
std::string_view CalledFunction(const YamlNode& node);

// Whether a key is reserved for calls (in any case, as ESC does).
bool IsCallKey(std::string_view key);

}  // namespace escagent::edit
