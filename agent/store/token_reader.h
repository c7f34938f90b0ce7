#pragma once

#include <string>

#include "agent/store/access_token.h"
#include "agent/store/secret_store.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::store {

// Reads access tokens from where a store of a file refers to with secretRef.name:
//
//   file:PATH  the content of a file, without one trailing line break. A relative PATH is below the
//              folder of the stores. Where PATH is a folder (as a Secret volume is), secretRef.key
//              is a file in it.
//   env:NAME   the environment variable of the agent; secretRef.key is not used.
//
// Anything else names a Kubernetes Secret and is refused. Thread-safe.
class TokenReader {
 public:
  explicit TokenReader(std::string directory);

  // INVALID_ARGUMENT when the reference cannot be one to a file or a variable.
  static Status Check(const SecretKeyRef& ref);

  // The token as it is now: nothing is kept. UNAUTHENTICATED names the reference and says why there
  // is no (usable) token.
  Result<AccessToken> Read(const SecretKeyRef& ref) const;

 private:
  Result<Secret> ReadText(const SecretKeyRef& ref) const;

  const std::string directory_;
};

}  // namespace escagent::store
