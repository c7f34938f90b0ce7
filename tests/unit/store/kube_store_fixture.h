#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/store/kube_store_registry.h"
#include "base/json.h"
#include "base/strings.h"
#include "kube/resource.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_cluster.h"

namespace escagent::store {

// A cluster with namespaces podinfo and esc, and a registry that follows it.
class KubeStoreTest : public ::testing::Test {
 protected:
  KubeStoreTest() {
    PutNamespace("podinfo");
    PutNamespace("esc");
  }

  void PutNamespace(const std::string& name, const std::string& labels = "{}") {
    Put(kube::Namespaces(), R"({"metadata":{"name":")" + name + R"(","labels":)" + labels + "}}");
  }
  void PutToken(const std::string& token, const std::string& name_space = "esc") {
    SecretBuilder base64;
    EncodeBase64(token, base64);
    Put(kube::Secrets(), R"({"metadata":{"name":"pulumi","namespace":")" + name_space +
                             R"("},"data":{"pat":")" + std::string(base64.Reveal()) + "\"}}");
  }
  // `more` stands under spec.
  void PutClusterStore(const std::string& name, const std::string& more = "") {
    Put(StoreResource(StoreKind::kClusterSecretStore),
        R"({"metadata":{"name":")" + name + R"("},"spec":{)" + more + Provider("esc") + "}}");
  }
  void PutStore(const std::string& name_space, const std::string& name) {
    Put(StoreResource(StoreKind::kSecretStore), R"({"metadata":{"name":")" + name +
                                                    R"(","namespace":")" + name_space +
                                                    R"("},"spec":{)" + Provider(name_space) + "}}");
  }
  void Put(const kube::Resource& resource, const std::string& text) {
    Result<nlohmann::json> json = ParseJson(text, "test");
    ASSERT_TRUE(json) << text;
    cluster_.Put(resource, *std::move(json));
  }

  testing::FakeClock clock_;
  testing::FakeCluster cluster_;
  testing::FakeCluster::Client client_{cluster_};
  KubeStoreRegistry registry_{{}, client_, client_, clock_};

 private:
  static std::string Provider(const std::string& token_namespace) {
    return R"("provider":{"pulumi":{"organization":"acme","project":"web","environment":"dev",
      "accessToken":{"secretRef":{"name":"pulumi","key":"pat","namespace":")" +
           token_namespace + "\"}}}}";
  }
};

// What a registry tells. Thread-safe.
class Told {
 public:
  StoreListener Listener() {
    return {.on_store = [this](const StoreId& id) { Add(id.ToString()); },
            .on_namespace = [this](const std::string& name) { Add("namespace " + name); },
            .on_synced = [this] { Add("synced"); }};
  }
  // Since the last call.
  std::vector<std::string> Take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  void Add(std::string line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace escagent::store
