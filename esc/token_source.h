#pragma once

#include <memory>
#include <stop_token>

#include "base/result.h"
#include "base/secret.h"

namespace escagent::esc {

// Where the access token of a request comes from, for tokens that expire and are renewed.
// Thread-safe.
class TokenSource {
 public:
  virtual ~TokenSource() = default;

  // The token to use now; never null. May block while one is fetched. An error is the request's.
  virtual Result<std::shared_ptr<const Secret>> Get(std::stop_token stop) = 0;
  // ESC has answered 401 to a request with this token: Get gives another one from now on.
  virtual void Refuse(const Secret& token) = 0;
};

}  // namespace escagent::esc
