#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/curl_streams.h"
#include "base/curl_transport.h"
#include "kube/client.h"
#include "kube/informer_pool.h"
#include "tests/fakes/apiserver/test_cluster.h"
#include "tests/unit/kube/informer_recorder.h"

namespace escagent::kube {

// Informers, with all that they stand on, against a server of the tests or a real one.
class InformerCluster {
 public:
  InformerCluster(std::unique_ptr<apiserver::TestCluster> cluster, InformerPool::Options options)
      : cluster_(std::move(cluster)),
        connection_(std::make_unique<Connection>(*LoadKubeconfig(cluster_->kubeconfig()), clock_)),
        transport_(CurlOf(*connection_)),
        streams_(CurlOf(*connection_)),
        client_({}, *connection_, transport_, clock_),
        pool_(options, client_, *connection_, streams_, clock_) {}
  InformerCluster(const InformerCluster&) = delete;
  InformerCluster& operator=(const InformerCluster&) = delete;

  apiserver::TestCluster& cluster() { return *cluster_; }
  Client& client() { return client_; }
  InformerPool& pool() { return pool_; }

  // Creates or changes a Secret's label; returns its resourceVersion.
  std::string Label(const ObjectKey& key, const std::string& value) {
    nlohmann::json json = {
        {"apiVersion", "v1"},
        {"kind", "Secret"},
        {"metadata",
         {{"name", key.name}, {"namespace", key.namespace_name}, {"labels", {{"value", value}}}}}};
    const auto applied =
        client_.Patch(Secrets(), key, PatchType::kApply, Object(std::move(json)), "", {});
    EXPECT_TRUE(applied) << applied.error().message;
    return applied ? applied->ResourceVersion() : "";
  }
  void Remove(const ObjectKey& key) {
    const Status removed = client_.Delete(Secrets(), key, {}, {});
    EXPECT_TRUE(removed) << removed.error().message;
  }
  void MakeNamespace(const std::string& name) {
    const auto made =
        client_.Create(Namespaces(), Object(nlohmann::json{{"metadata", {{"name", name}}}}), {});
    EXPECT_TRUE(made || made.error().code == Code::kAlreadyExists) << made.error().message;
  }

 private:
  static CurlOptions CurlOf(const Connection& connection) {
    return {.user_agent = "test",
            .tls = connection.config().tls,
            .proxy_url = connection.config().proxy_url};
  }

  SystemClock clock_;
  std::unique_ptr<apiserver::TestCluster> cluster_;
  std::unique_ptr<Connection> connection_;
  CurlTransport transport_;
  CurlStreams streams_;
  Client client_;
  InformerPool pool_;
};

// Whether a recorder's objects are exactly `name -> version`, in one namespace.
using Versions = std::map<std::string, std::string>;
inline bool AwaitVersions(InformerRecorder& recorder, const Versions& wanted) {
  return recorder.AwaitState([&](const std::map<ObjectKey, std::string>& present) {
    if (present.size() != wanted.size()) return false;
    for (const auto& [key, version] : present) {
      const auto it = wanted.find(key.name);
      if (it == wanted.end() || it->second != version) return false;
    }
    return true;
  });
}

}  // namespace escagent::kube
