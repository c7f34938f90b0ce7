#pragma once

#include <string>
#include <vector>

#include "agent/doctor/finding.h"
#include "agent/doctor/network.h"
#include "base/clock.h"
#include "base/http.h"
#include "kube/namespace_scope.h"

namespace escagent::doctor {

// What to look at. As `esc-agent run` has it where the names are the same.
struct Options {
  bool node = true;   // the kernel, and what this process may do
  bool agent = true;  // the agent that runs on the node, its keeper, kubelet
  bool cluster = true;
  bool esc = true;
  std::string root;  // in front of /proc and /dev
  std::string kubelet_dir;
  std::string keeper_socket;
  std::string admin_socket;
  std::string csi_socket;           // a path
  std::string registration_socket;  // empty: the driver does not register
  std::string driver_name;
  std::string node_name;  // empty: the running agent's
  std::string kubeconfig;
  std::string namespace_name;  // of the leases; empty: the pod's own, or the kubeconfig's
  kube::NamespaceScope watch_namespaces;
  std::string controller_class;
  bool mirror = true;
  std::string stores_dir;
  std::string esc_url;
};

// Looks at the node, the agent, the cluster and ESC, and tells what it has found. Changes nothing
// and opens no environment. Each call has a deadline of its own, and all of them one together:
// returns within 15 s, whatever hangs (but for a kubeconfig's exec plugin that cannot be ended).
// `esc` sends requests to ESC.
std::vector<Group> Examine(const Options& options, HttpTransport& esc, Clock& clock,
                           const Environment& environment);

}  // namespace escagent::doctor
