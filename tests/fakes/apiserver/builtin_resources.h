#pragma once

#include <vector>

#include "tests/fakes/apiserver/resource.h"

namespace escagent::apiserver {

// The kinds that are there without a CustomResourceDefinition: those that the agent, its tests and
// kubectl meet. Their schemas have what pruning, patches and server-side apply need to know of the
// real types, and leave the rest open.
std::vector<ResourcePtr> BuiltinResources();

}  // namespace escagent::apiserver
