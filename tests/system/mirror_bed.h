#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/fakes/apiserver/test_cluster.h"
#include "tests/system/process.h"
#include "tests/system/testbed.h"

namespace escagent::testing {

// A small cluster for tests of the mirror: an API server with our CRDs (the stand-in, or a real
// kube-apiserver), the offline ESC server, and agents, as many as a test wants, as child processes.
// Failures of the set-up are thrown.
class MirrorBed {
 public:
  using Clock = std::chrono::steady_clock;
  // Where the mirrored objects of the test live. Its own namespace, as the cluster may be used by
  // other tests too.
  using Data = std::map<std::string, std::string>;

  // `cluster` outlives it. Makes the namespaces, the token's Secret and environment
  // acme/<name>/app: {app: {hello: world, hello-secret: secret}}.
  MirrorBed(apiserver::TestCluster& cluster, std::string name);
  ~MirrorBed();
  MirrorBed(const MirrorBed&) = delete;
  MirrorBed& operator=(const MirrorBed&) = delete;

  // Agents started from now on use this kubeconfig instead of the cluster's, and keep their leases
  // in this namespace.
  void UseAccount(std::string kubeconfig, std::string lease_namespace);
  // Starts agent number `index`, and waits until it serves.
  void StartAgent(std::size_t index = 0, const std::vector<std::string>& flags = {});
  // SIGTERM and wait; the exit code.
  int StopAgent(std::size_t index = 0);
  void KillAgent(std::size_t index = 0);
  // A pod's volume on the agent's node; `uid` is that of the pod's object. Publishing gives the
  // target's path.
  InlineVolume Volume(const std::string& pod, const std::string& uid,
                      std::map<std::string, std::string> attributes) const;
  Result<std::string> Publish(const InlineVolume& volume, std::size_t index = 0) const;
  Status Unpublish(const InlineVolume& volume, std::size_t index = 0) const;
  // Makes a pod; its uid.
  std::string MakePod(const std::string& pod) const;

  Process& agent(std::size_t index = 0) { return *agents_[index]; }
  std::string AgentLog(std::size_t index = 0) const;

  const std::string& name() const { return name_; }  // of the namespace, and the ESC project
  apiserver::TestCluster& cluster() { return cluster_; }
  Testbed& node() { return node_; }

  void WriteEnvironment(const std::string& environment, const std::string& definition) const;
  // ClusterSecretStore `store` (with the test's name in front) for environment acme/<name>/...
  std::string ApplyClusterStore(const std::string& store, const std::string& environment,
                                const nlohmann::json& conditions = nullptr);
  nlohmann::json ClusterStore(const std::string& store, const std::string& environment) const;
  // An ExternalSecret that extracts `key`, refreshed every second.
  nlohmann::json ExternalSecret(const std::string& object, const std::string& store,
                                const std::string& key = "app") const;
  void Apply(const nlohmann::json& object) const;
  void ApplyFile(const std::string& path) const;
  void DeleteObject(const std::string& path) const;

  // "/api/v1/namespaces/<name>/secrets/<secret>"
  std::string SecretPath(const std::string& secret) const;
  std::string ObjectPath(const std::string& object) const;  // of an ExternalSecret
  std::string StorePath(const std::string& store) const;    // of a ClusterSecretStore
  nlohmann::json Get(const std::string& path) const;        // null when it is not there
  Data SecretData(const std::string& secret) const;         // decoded; empty when it is not there
  // {status, reason, message} of condition Ready; empty strings without one.
  struct Ready {
    std::string status, reason, message;
  };
  Ready ReadyOf(const std::string& path) const;

  bool AwaitSecret(const std::string& secret, const Data& data) const;
  // Until the condition Ready has this status and, if not empty, a message with `text`.
  bool AwaitReady(const std::string& path, const std::string& status,
                  const std::string& text = "") const;

 private:
  std::string NodeFolder(std::size_t index) const;
  std::string Endpoint(std::size_t index) const;
  std::vector<std::string> AgentCommand(std::size_t index,
                                        const std::vector<std::string>& flags) const;

  apiserver::TestCluster& cluster_;
  const std::string name_;
  std::string kubeconfig_;
  std::string lease_namespace_;
  Testbed node_;
  std::vector<std::unique_ptr<Process>> agents_;
  int started_ = 0;
  std::vector<std::string> to_delete_;
};

}  // namespace escagent::testing
