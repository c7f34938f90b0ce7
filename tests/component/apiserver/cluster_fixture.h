#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/fakes/apiserver/test_cluster.h"

namespace escagent::apiserver {

// What a test runs against. Expectations of a test with this parameter hold for both, which proves
// that the stand-in behaves as the real one.
enum class ClusterKind { kFake, kReal };

inline std::string ClusterName(const ::testing::TestParamInfo<ClusterKind>& info) {
  return info.param == ClusterKind::kFake ? "Fake" : "Real";
}

// A namespace of its own for each test, in a cluster that the tests of the program share. There is
// a kind Widget (widgets.test.esc-agent.io, v1 stored and v1beta1) for what only custom resources
// do.
class ClusterTest : public ::testing::TestWithParam<ClusterKind> {
 protected:
  void SetUp() override;

  // "/api/v1/namespaces/NS/secrets/NAME"; the same for configmaps and so on.
  std::string Core(const std::string& resource, const std::string& name = "") const;
  // "/apis/test.esc-agent.io/v1/namespaces/NS/widgets/NAME".
  std::string Widgets(const std::string& name = "", const std::string& version = "v1") const;

  nlohmann::json Secret(const std::string& name,
                        const nlohmann::json& data = {{"a", "MQ=="}}) const;
  nlohmann::json Widget(const std::string& name, const nlohmann::json& spec) const;

  Answer Get(const std::string& path) const { return cluster_->Request("GET", path); }
  Answer Post(const std::string& path, const nlohmann::json& body) const {
    return cluster_->Request("POST", path, body);
  }
  Answer Put(const std::string& path, const nlohmann::json& body) const {
    return cluster_->Request("PUT", path, body);
  }
  Answer Merge(const std::string& path, const nlohmann::json& patch) const {
    return cluster_->Request("PATCH", path, patch, "application/merge-patch+json");
  }
  Answer Apply(const std::string& path, const nlohmann::json& config, const std::string& manager,
               bool force = false) const;
  Answer Delete(const std::string& path, const nlohmann::json& options = nullptr) const {
    return cluster_->Request("DELETE", path, options);
  }

  TestCluster* cluster_ = nullptr;
  std::string namespace_;
};

// The causes of an Invalid Status: "field: message", sorted.
std::vector<std::string> CausesOf(const Answer& answer);

#define ESC_AGENT_BOTH_CLUSTERS(suite)      \
  INSTANTIATE_TEST_SUITE_P(Clusters, suite, \
                           ::testing::Values(ClusterKind::kFake, ClusterKind::kReal), ClusterName)
#define ESC_AGENT_FAKE_CLUSTER(suite) \
  INSTANTIATE_TEST_SUITE_P(Clusters, suite, ::testing::Values(ClusterKind::kFake), ClusterName)

}  // namespace escagent::apiserver
