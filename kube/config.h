#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/tls_options.h"

namespace escagent::kube {

// A kubeconfig's users[].user.exec (client.authentication.k8s.io v1 and v1beta1).
struct ExecPlugin {
  std::string api_version;
  std::string command;
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> environment;
  bool provide_cluster_info = false;
  std::string install_hint;
};

// How to reach an API server, and as whom. At most one of token, token_file
// and exec.
struct Config {
  std::string server;  // "https://10.0.0.1:443", no slash at the end
  TlsOptions tls;
  std::shared_ptr<const Secret> token;
  std::string token_file;  // read again as it rotates
  std::optional<ExecPlugin> exec;
  std::string proxy_url;
  // The context's namespace, or the pod's own. "default" when there is none.
  std::string namespace_name;
};

// The configuration of a pod: KUBERNETES_SERVICE_HOST and _PORT, and the service account's token,
// CA and namespace below /var/run/secrets/kubernetes.io/serviceaccount (or `account_dir`).
// FAILED_PRECONDITION outside a cluster.
Result<Config> InClusterConfig(const std::string& account_dir = {});

// A kubeconfig file, or several separated by colons, joined as kubectl joins those of KUBECONFIG:
// the first entry of a name wins, files that do not exist are left out. `context` empty: the
// current-context. Relative paths in a file are relative to its folder. INVALID_ARGUMENT lists
// everything that is wrong, without any value. Refused, with what to do instead: username and
// password, auth-provider (gone from Kubernetes), impersonation, and exec plugins that need a
// terminal.
Result<Config> LoadKubeconfig(const std::string& path, const std::string& context = {});

}  // namespace escagent::kube
