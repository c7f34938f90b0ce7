#pragma once

namespace escagent::mirror {

// Restart on rotation. On a Deployment, StatefulSet or DaemonSet, with the value "true": its pods
// are replaced when a mirrored Secret changes that they take env from.
inline constexpr char kRestartOnChangeAnnotation[] = "esc-agent.io/restart-on-change";

// On a mirrored Secret: the data with this hash (kDataHashAnnotation) was written, and those who
// consume it have not all been restarted yet. Written together with the data, so that no restart is
// lost with the agent. A synchronisation of the Secret leaves it alone.
inline constexpr char kRestartPendingAnnotation[] = "esc-agent.io/restart-pending";

// On a pod template, followed by "/" and the Secret's name: which data the pods were last restarted
// for.
inline constexpr char kRestartedForPrefix[] = "secret.esc-agent.io";

}  // namespace escagent::mirror
