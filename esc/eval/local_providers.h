#pragma once

#include <set>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "esc/eval/provider.h"

namespace escagent::eval {

// What the offline tools may open instead of what Pulumi's service can.
struct LocalProviderOptions {
  std::string files;                             // the folder of `file`; "" for none
  std::set<std::string, std::less<>> allow_env;  // the variables of `env`
  bool allow_exec = false;
};

// Adds `test` (echo_provider.h and echo_rotator.h), the rotator `password` and, where they were
// allowed, `file`, `env` and `exec`. Borrows the clock for the life of the registry.
Status AddLocalProviders(const LocalProviderOptions& options, const Clock& clock,
                         ProviderRegistry& registry);

}  // namespace escagent::eval
