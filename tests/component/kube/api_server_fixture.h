#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/curl_transport.h"
#include "kube/client.h"
#include "tests/fakes/apiserver/test_cluster.h"
#include "tests/unit/kube/make_object.h"

namespace escagent::kube {

enum class Server { kFake, kReal };

inline std::string NameOfServer(const ::testing::TestParamInfo<Server>& info) {
  return info.param == Server::kFake ? "Fake" : "Real";
}

inline Object SecretOf(const ObjectKey& key, const std::string& base64) {
  return Object(
      nlohmann::json{{"metadata", {{"name", key.name}, {"namespace", key.namespace_name}}},
                     {"data", {{"a", base64}}}});
}

// A client of the server for tests or of a real kube-apiserver, over TLS with a client certificate.
// One server of each kind serves all tests of the program; each test takes namespaces of its own.
class ApiServerTest : public ::testing::TestWithParam<Server> {
 protected:
  static void TearDownTestSuite() { Clusters().clear(); }

  void SetUp() override {
    Result<std::unique_ptr<apiserver::TestCluster>>& cluster =
        Clusters().try_emplace(GetParam(), nullptr).first->second;
    if (cluster && *cluster == nullptr) cluster = Start(GetParam());
    if (!cluster && cluster.error().code == Code::kFailedPrecondition) {
      GTEST_SKIP() << cluster.error().message;
    }
    ASSERT_TRUE(cluster) << cluster.error().message;
    const Result<Config> config = LoadKubeconfig((*cluster)->kubeconfig());
    ASSERT_TRUE(config) << config.error().message;
    connection_ = std::make_unique<Connection>(*config, clock_);
    transport_ = std::make_unique<CurlTransport>(
        CurlOptions{.user_agent = "esc-agent-test", .tls = config->tls});
    client_ = std::make_unique<Client>(Client::Options(), *connection_, *transport_, clock_);
  }

  Client& client() { return *client_; }

  // Makes a namespace and returns its name.
  std::string NewNamespace(const std::string& name) {
    const Result<Object> made =
        client().Create(Namespaces(), Object(nlohmann::json{{"metadata", {{"name", name}}}}), {});
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return name;
  }

 private:
  static Result<std::unique_ptr<apiserver::TestCluster>> Start(Server server) {
    if (server == Server::kReal) return apiserver::TestCluster::Real();
    apiserver::ApiServer::Options options;
    options.tls = true;
    return apiserver::TestCluster::Fake(options);
  }
  static std::map<Server, Result<std::unique_ptr<apiserver::TestCluster>>>& Clusters() {
    static std::map<Server, Result<std::unique_ptr<apiserver::TestCluster>>> clusters;
    return clusters;
  }

  SystemClock clock_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<CurlTransport> transport_;
  std::unique_ptr<Client> client_;
};

}  // namespace escagent::kube
