#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/mirror/external_secret_spec.h"

namespace escagent::mirror {

// Reads the `spec` of an ExternalSecret of this namespace and name, with the rules of ESO's CRD and
// webhook (eso-compat.md 1.2), and appends what is wrong with it to `problems`. Also that of a
// ClusterExternalSecret's externalSecretSpec.
ExternalSecretSpec ParseExternalSecretSpec(const nlohmann::json& spec,
                                           const std::string& namespace_name,
                                           const std::string& name,
                                           std::vector<std::string>& problems);

}  // namespace escagent::mirror
