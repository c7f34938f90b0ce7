#pragma once

#include <vector>

#include "agent/volume/value_walk.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::volume {

// Lines key=value as java.util.Properties.load reads them (its Javadoc is the format's definition),
// ASCII only: other characters are \uXXXX. The names along the path are joined with ".", array
// indexes are [n] as Spring Boot binds them: servers[0].host. Two values with one key are
// INVALID_ARGUMENT with both paths.
Result<Secret> RenderProperties(const std::vector<Leaf>& leaves);

}  // namespace escagent::volume
