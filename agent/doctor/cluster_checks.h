#pragma once

#include <string>
#include <vector>

#include "agent/doctor/finding.h"
#include "base/clock.h"
#include "kube/api.h"
#include "kube/discovery.h"

namespace escagent::doctor {

// What the cluster has for the agent. All of it is read only; what the account may not read is
// skipped. `options` hold the deadline of one call.

// Whether the API server answers, and what its clock says. The first finding fails when it does
// not.
Findings CheckApiServer(kube::Discovery& discovery, const std::string& server, Clock& clock,
                        const std::stop_token& stop);

// The CSIDriver object.
Findings CheckCsiDriver(kube::Api& api, const std::string& driver,
                        const kube::CallOptions& options);

// Whether the CSINode object of the node lists the driver.
Finding CheckCsiNode(kube::Api& api, const std::string& node, const std::string& driver,
                     const kube::CallOptions& options);

// Whether the kinds of external-secrets.io are served, and whose definitions they are. `needed`:
// stores come from the API server, or there is a mirror.
Findings CheckKinds(kube::Discovery& discovery, kube::Api& api, bool needed,
                    const kube::CallOptions& options);

}  // namespace escagent::doctor
