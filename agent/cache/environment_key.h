#pragma once

#include <compare>
#include <string>

#include "esc/environment_ref.h"

namespace escagent::cache {

// An environment as one identity sees it. Two requests share an opened environment only when all of
// this is equal.
struct EnvironmentKey {
  std::string backend;  // base URL
  esc::EnvironmentRef ref;
  // Who opens: a digest of the credential, never the credential.
  std::string identity;

  auto operator<=>(const EnvironmentKey&) const = default;
};

}  // namespace escagent::cache
