#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "tests/fakes/apiserver/rest_client.h"

namespace escagent::apiserver {

// A real kube-apiserver and its etcd (tests/tools/kube_apiserver.sh), as a child process that ends
// with this object.
class RealApiServer {
 public:
  // Starts it in `folder`, and waits until it serves. FAILED_PRECONDITION when KUBEBUILDER_ASSETS
  // is not set.
  static Result<std::unique_ptr<RealApiServer>> Start(const std::string& folder);
  ~RealApiServer();
  RealApiServer(const RealApiServer&) = delete;
  RealApiServer& operator=(const RealApiServer&) = delete;

  const std::string& kubeconfig() const { return kubeconfig_; }
  const RestClient::Options& client_options() const { return client_options_; }

 private:
  RealApiServer() = default;
  Status Spawn(const std::string& folder);
  Status AwaitReady();
  Status ReadKubeconfig(const std::string& folder);

  pid_t pid_ = -1;
  UniqueFd output_;
  std::string kubeconfig_;
  RestClient::Options client_options_;
};

}  // namespace escagent::apiserver
