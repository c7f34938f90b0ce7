#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "kube/api.h"
#include "kube/client.h"
#include "kube/config.h"
#include "kube/informer.h"
#include "kube/informer_pool.h"

namespace escagent::kube {

// The configuration of a kubeconfig file, or, with an empty path, that of the pod this process runs
// in. FAILED_PRECONDITION when there is neither.
Result<Config> FindConfig(const std::string& kubeconfig);

// One API server: the HTTP transports for it, the connection, the calls and the watches. Nothing is
// sent before the first call. Thread-safe; all users end before it.
class Cluster {
 public:
  struct Options {
    std::string user_agent;
    Client::Options client{};
    InformerPool::Options informers{};
  };

  // `clock` outlives it.
  Cluster(Config config, const Options& options, Clock& clock);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  const Config& config() const;
  Api& api();
  Informers& informers();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::kube
