#pragma once

#include <functional>
#include <string>

#include "agent/doctor/finding.h"
#include "agent/doctor/node_files.h"

namespace escagent::doctor {

// Which process's devices and mounts this process sees.
enum class Vantage {
  // Those of the one that mounts: this is the node itself, the keeper's container, or that of an
  // agent without a keeper.
  kMounter,
  // Those of an agent that has a keeper, which mounts in a container of its own.
  kAgent,
};

// Whether the kernel has what mounting and serving need. `try_call` makes the system call of that
// number with arguments that cannot do anything, and returns its errno (TrySystemCall).
Findings CheckKernel(const NodeFiles& files, const std::function<int(long number)>& try_call);
int TrySystemCall(long number);

// /dev/fuse, and the file system in the kernel.
Findings CheckFuse(const NodeFiles& files, Vantage vantage);

// Whether what is mounted below kubelet's folder reaches the pods.
Finding CheckPropagation(const NodeFiles& files, const std::string& kubelet_dir, Vantage vantage);

}  // namespace escagent::doctor
