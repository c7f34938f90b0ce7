#include "tests/component/csi/harness.h"

#include <grpcpp/create_channel.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

namespace escagent::testing {

CsiHarness::CsiHarness() {
  std::string name = ::testing::TempDir() + "csi.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "mkdtemp";
  folder_ = name;
  for (const char* folder : {"/plugin", "/plugins_registry", "/kubelet"}) {
    std::filesystem::create_directory(folder_ + folder);
  }
}

CsiHarness::~CsiHarness() {
  server_.reset();
  std::filesystem::remove_all(folder_);
}

csi::ServerOptions CsiHarness::Options() const {
  csi::ServerOptions options;
  options.driver_name = "csi.esc-agent.io";
  options.version = "1.2.3";
  options.node_name = "node-a";
  options.csi_endpoint = "unix://" + CsiSocket();
  options.registration_socket = RegistrationSocket();
  options.kubelet_registration_path = CsiSocket();
  return options;
}

std::unique_ptr<csi::Server> CsiHarness::StartServer(csi::ServerOptions options) {
  Result<std::unique_ptr<csi::Server>> server =
      csi::Server::Start(std::move(options), volumes_, clock_);
  if (!server) {
    ADD_FAILURE() << server.error().ToString();
    return nullptr;
  }
  return *std::move(server);
}

std::unique_ptr<v1::Node::Stub> CsiHarness::Node() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::Node::NewStub(grpc::CreateCustomChannel(
      "unix:" + CsiSocket(), grpc::InsecureChannelCredentials(), arguments));
}

std::unique_ptr<v1::Identity::Stub> CsiHarness::Identity() const {
  return v1::Identity::NewStub(
      grpc::CreateChannel("unix:" + CsiSocket(), grpc::InsecureChannelCredentials()));
}

InlineVolume CsiHarness::Volume() const {
  return {.name = "esc",
          .pod_name = "podinfo-0",
          .pod_namespace = "apps",
          .pod_uid = "6a1f",
          .service_account = "podinfo",
          .attributes = {{"secretStore", "esc"}},
          .fs_group = "2000",
          .service_account_tokens = {},
          .secrets = {}};
}

v1::NodePublishVolumeRequest CsiHarness::PublishRequest() const {
  v1::NodePublishVolumeRequest request = MakeKubelet().PublishRequest(Volume(), true);
  request.set_target_path(Target());
  return request;
}

grpc::Status CsiHarness::Publish(const v1::NodePublishVolumeRequest& request,
                                 std::chrono::milliseconds timeout) const {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  v1::NodePublishVolumeResponse response;
  return Node()->NodePublishVolume(&context, request, &response);
}

ino_t InodeAt(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace escagent::testing
