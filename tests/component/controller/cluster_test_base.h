#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "kube/cluster.h"
#include "tests/fakes/apiserver/test_cluster.h"

namespace escagent::controller {

enum class Server { kFake, kReal };

inline std::string NameOfServer(const ::testing::TestParamInfo<Server>& info) {
  return info.param == Server::kFake ? "Fake" : "Real";
}

// A cluster of the test's own: the server for tests, or a real kube-apiserver, in a namespace that
// is there.
class ClusterTestBase : public ::testing::TestWithParam<Server> {
 protected:
  static constexpr char kNamespace[] = "esc-agent";

  void SetUp() override {
    auto cluster = GetParam() == Server::kReal ? apiserver::TestCluster::Real()
                                               : apiserver::TestCluster::Fake();
    if (!cluster && cluster.error().code == Code::kFailedPrecondition) {
      GTEST_SKIP() << cluster.error().message;
    }
    ASSERT_TRUE(cluster) << cluster.error().message;
    cluster_ = *std::move(cluster);
    const Status made =
        cluster_->ApplyText("{apiVersion: v1, kind: Namespace, metadata: {name: esc-agent}}");
    ASSERT_TRUE(made) << made.error().message;
  }

  // One agent's own connection.
  std::unique_ptr<kube::Cluster> Connect() {
    const Result<kube::Config> config = kube::FindConfig(cluster_->kubeconfig());
    EXPECT_TRUE(config) << config.error().message;
    return std::make_unique<kube::Cluster>(*config, kube::Cluster::Options{.user_agent = "test"},
                                           clock_);
  }
  static bool Eventually(const std::function<bool()>& condition) {
    return apiserver::TestCluster::WaitUntil(condition);
  }

  SystemClock clock_;
  std::unique_ptr<apiserver::TestCluster> cluster_;
};

}  // namespace escagent::controller
