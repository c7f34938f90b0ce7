#pragma once

#include <stop_token>

#include "base/result.h"
#include "base/secret.h"

namespace escagent::identity {

// The seam for tokens that are exchanged: a pod's that kubelet has sent, a service account's that
// the API server issues, a file's. Thread-safe.
class SubjectSource {
 public:
  virtual ~SubjectSource() = default;

  // The newest token. May block for a few seconds. UNAVAILABLE: there is none just now.
  // FAILED_PRECONDITION: there is none until somebody changes something. Never PERMISSION_DENIED or
  // UNAUTHENTICATED, which are ESC's verdicts.
  virtual Result<Secret> Get(const std::stop_token& stop) = 0;
};

}  // namespace escagent::identity
