#pragma once

#include "agent/store/access_token.h"
#include "agent/store/secret_store.h"
#include "base/result.h"
#include "kube/api.h"

namespace escagent::store {

// The access token in a key of a Kubernetes Secret. Errors name the Secret and the key:
// UNAUTHENTICATED says why there is no usable token.

// Of a Secret that was read.
Result<AccessToken> TokenOfSecret(const SecretKeyRef& ref, const kube::Object& secret);
// UNAUTHENTICATED: there is no such Secret.
std::unexpected<Error> NoTokenSecret(const SecretKeyRef& ref);
// Reads the Secret. UNAVAILABLE when the API server does not answer.
Result<AccessToken> ReadTokenSecret(kube::Api& api, const SecretKeyRef& ref,
                                    const kube::CallOptions& options);

}  // namespace escagent::store
