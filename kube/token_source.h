#pragma once

#include <memory>
#include <stop_token>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "kube/config.h"

namespace escagent::kube {

// Where bearer tokens come from. Thread-safe.
class TokenSource {
 public:
  virtual ~TokenSource() = default;

  // The token of the moment; null when the server is to see none (the client's certificate says who
  // it is). Errors say why there is no token: UNAUTHENTICATED, or CANCELLED by `stop`.
  virtual Result<std::shared_ptr<const Secret>> Get(const std::stop_token& stop) = 0;
  // The server did not accept `token`: the next Get looks for another one.
  virtual void Refused(const std::shared_ptr<const Secret>& token) = 0;
};

// The source that `config` asks for. `clock` outlives it.
std::unique_ptr<TokenSource> MakeTokenSource(const Config& config, Clock& clock);

}  // namespace escagent::kube
