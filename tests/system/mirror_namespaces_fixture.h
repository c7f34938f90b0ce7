#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "tests/fakes/apiserver/test_cluster.h"
#include "tests/system/mirror_bed.h"

namespace escagent::testing {

// An API server that enforces RBAC (the stand-in, or with KUBEBUILDER_ASSETS the real one), with
// the account of manifests/rbac/agent and three namespaces, each with a SecretStore "own" for
// environment app. The agent has rights in those that GrantRole names.
class MirrorNamespacesTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // manifests/rbac/namespaced/role.yaml, for another namespace.
  void GrantRole(const std::string& name_space) const;
  // With the account's token.
  void StartAgent(const std::vector<std::string>& flags);

  nlohmann::json ExternalSecret(const std::string& name_space, const std::string& name) const;
  // "push" pushes key a of Secret "source" to app.pushed, and removes it at its end.
  nlohmann::json PushSecret(const std::string& name_space) const;
  void ApplySource(const std::string& name_space) const;
  // "reader" takes its env from Secret app, and restarts on change.
  void ApplyDeployment(const std::string& name_space) const;
  Result<std::string> Publish(const std::string& name_space,
                              std::map<std::string, std::string> attributes);

  static std::string Path(const std::string& name_space, const std::string& plural,
                          const std::string& name);
  // Decoded; empty when it is not there.
  std::string SecretValue(const std::string& name_space, const std::string& name,
                          const std::string& key) const;
  bool AwaitValue(const std::string& name_space, const std::string& name, const std::string& key,
                  const std::string& value) const;
  bool AwaitReady(const std::string& path, const std::string& status,
                  const std::string& text = "") const;
  template <class Condition>
  static bool AwaitThat(Condition condition) {
    return WaitFor(condition, std::chrono::seconds(60));
  }
  // The agent has asked for nothing outside of "here" and "there", and was refused nothing.
  void ExpectNoRequestBeyond() const;

  const std::string here_ = "scope-here";
  const std::string there_ = "scope-there";
  const std::string beyond_ = "scope-beyond";
  std::unique_ptr<apiserver::TestCluster> cluster_;
  std::unique_ptr<MirrorBed> bed_;

 private:
  void UseServiceAccount() const;
  void ApplyStore(const std::string& name_space) const;

  bool has_agent_ = false;
  int pods_ = 0;
};

}  // namespace escagent::testing
