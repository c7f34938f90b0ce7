#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tests/fakes/apiserver/api_server.h"
#include "tests/fakes/apiserver/rest_client.h"
#include "tests/fakes/apiserver/watch_reader.h"

namespace escagent::apiserver {

class RealApiServer;

// A Kubernetes API for one test: the stand-in, or a real kube-apiserver with etcd, so that the same
// expectations run against both. Belongs to one thread, but for Request(), which any may call.
class TestCluster {
 public:
  static constexpr std::chrono::seconds kPatience{30};

  static Result<std::unique_ptr<TestCluster>> Fake(ApiServer::Options options = {});
  // Starts the programs in the folder that the environment's KUBEBUILDER_ASSETS names, in a
  // temporary folder (tests/tools/kube_apiserver.sh). FAILED_PRECONDITION, with what to do about
  // it, when it names none: a test then skips. Without controllers: nothing is garbage-collected,
  // and deleted namespaces stay.
  static Result<std::unique_ptr<TestCluster>> Real();
  ~TestCluster();
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

  bool IsFake() const { return fake_ != nullptr; }
  // Faults, counters and the rest that only the stand-in has.
  ApiServer& fake() { return *fake_; }
  // A file for an administrator.
  const std::string& kubeconfig() const { return kubeconfig_; }
  // A temporary folder of this cluster's, removed with it.
  const std::string& folder() const { return folder_; }

  // A request by the administrator. Status 0 when there was no whole answer.
  Answer Request(const std::string& method, const std::string& path,
                 const nlohmann::json& body = nullptr,
                 const std::string& content_type = "application/json",
                 const Headers& headers = {}) const;
  // The same with a body as it is.
  Answer Send(const std::string& method, const std::string& path, const std::string& body,
              const std::string& content_type, const Headers& headers = {}) const;
  std::unique_ptr<WatchReader> Watch(const std::string& path, const Headers& headers = {}) const;

  // Server-side apply, forced, of every object in a file or folder, or in a text. Waits until
  // CustomResourceDefinitions are served. Errors carry the server's message.
  Status Apply(const std::string& path) const;
  Status ApplyText(std::string_view yaml) const;
  Status ApplyObject(const nlohmann::json& object) const;

  // Asks until it is true. False after kPatience.
  static bool WaitUntil(const std::function<bool()>& condition);

 private:
  TestCluster() = default;
  // The path of an object by its kind, from the discovery. NOT_FOUND when it is not served.
  Result<std::string> PathOf(const nlohmann::json& object) const;

  std::string folder_;
  std::string kubeconfig_;
  std::unique_ptr<ApiServer> fake_;
  std::unique_ptr<RealApiServer> real_;
  std::unique_ptr<RestClient> client_;
};

}  // namespace escagent::apiserver
