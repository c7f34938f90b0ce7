#include "agent/identity/identity_key.h"

#include "base/strings.h"

namespace escagent::identity {

std::string IdentityKey::Digest() const {
  std::string text = "oidc";
  // Lengths, so that no two keys give one text.
  for (const std::string* part : {&api_url, &grant.organization, &grant.scope, &subject}) {
    text += "\n" + std::to_string(part->size()) + ":" + *part;
  }
  return Sha256Hex(text);
}

}  // namespace escagent::identity
