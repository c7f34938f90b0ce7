#include "esc/edit/secret_literal.h"

#include "base/strings.h"

namespace escagent::edit {

std::optional<SecretLiteral> AsSecretLiteral(const YamlNode& node) {
  if (CalledFunction(node) != "fn::secret") return std::nullopt;
  const YamlNode& argument = node.entries.front().value;
  if (argument.kind == YamlNode::Kind::kScalar) {
    return SecretLiteral{.encrypted = false, .text = &argument, .argument = &argument};
  }
  if (argument.entries.size() != 1 || !argument.entries.front().key.IsScalar("ciphertext") ||
      argument.entries.front().value.kind != YamlNode::Kind::kScalar) {
    return std::nullopt;
  }
  return SecretLiteral{
      .encrypted = true, .text = &argument.entries.front().value, .argument = &argument};
}

std::string_view CalledFunction(const YamlNode& node) {
  if (node.entries.size() != 1) return {};
  const YamlNode& key = node.entries.front().key;
  if (key.kind != YamlNode::Kind::kScalar || !IsCallKey(key.text.Reveal())) return {};
  return key.text.Reveal();
}

bool IsCallKey(std::string_view key) { return EqualsIgnoreCase(key.substr(0, 4), "fn::"); }

}  // namespace escagent::edit
