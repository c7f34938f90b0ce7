// csi-sanity-shim: stands between csi-sanity and the driver, so that the suite can test a node-only
// driver of ephemeral volumes. It answers the controller calls itself, says that there is a
// controller, and makes each publish what kubelet would make of it: read-only, with the pod's
// identity and the volume attributes of the command line. Everything else is passed on unchanged.
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "csi/proto/csi.grpc.pb.h"
#include "tests/tools/csi_controller.grpc.pb.h"

namespace escagent::testing {
namespace {

namespace v1 = ::csi::v1;

template <class Stub, class Request, class Response>
grpc::Status Forward(const grpc::ServerContext& from, Stub& stub,
                     grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                     const Request& request, Response* response) {
  grpc::ClientContext context;
  context.set_deadline(from.deadline());
  return (stub.*method)(&context, request, response);
}

class IdentityShim final : public v1::Identity::Service {
 public:
  explicit IdentityShim(const std::shared_ptr<grpc::Channel>& driver) : driver_(driver) {}

  grpc::Status GetPluginInfo(grpc::ServerContext* context, const v1::GetPluginInfoRequest* request,
                             v1::GetPluginInfoResponse* response) override {
    return Forward(*context, driver_, &Stub::GetPluginInfo, *request, response);
  }

  grpc::Status GetPluginCapabilities(grpc::ServerContext* context,
                                     const v1::GetPluginCapabilitiesRequest* request,
                                     v1::GetPluginCapabilitiesResponse* response) override {
    grpc::Status status =
        Forward(*context, driver_, &Stub::GetPluginCapabilities, *request, response);
    response->add_capabilities()->mutable_service()->set_type(
        v1::PluginCapability::Service::CONTROLLER_SERVICE);
    return status;
  }

  grpc::Status Probe(grpc::ServerContext* context, const v1::ProbeRequest* request,
                     v1::ProbeResponse* response) override {
    return Forward(*context, driver_, &Stub::Probe, *request, response);
  }

 private:
  using Stub = v1::Identity::Stub;
  Stub driver_;
};

class ControllerShim final : public v1::Controller::Service {
 public:
  grpc::Status CreateVolume(grpc::ServerContext* /*context*/,
                            const v1::CreateVolumeRequest* request,
                            v1::CreateVolumeResponse* response) override {
    response->mutable_volume()->set_volume_id("csi-" + request->name());
    return grpc::Status::OK;
  }

  grpc::Status DeleteVolume(grpc::ServerContext* /*context*/,
                            const v1::DeleteVolumeRequest* /*request*/,
                            v1::DeleteVolumeResponse* /*response*/) override {
    return grpc::Status::OK;
  }

  grpc::Status ControllerGetCapabilities(grpc::ServerContext* /*context*/,
                                         const v1::ControllerGetCapabilitiesRequest* /*request*/,
                                         v1::ControllerGetCapabilitiesResponse* response) override {
    response->add_capabilities()->mutable_rpc()->set_type(
        v1::ControllerServiceCapability::RPC::CREATE_DELETE_VOLUME);
    return grpc::Status::OK;
  }
};

class NodeShim final : public v1::Node::Service {
 public:
  NodeShim(const std::shared_ptr<grpc::Channel>& driver,
           std::map<std::string, std::string> volume_context)
      : driver_(driver), volume_context_(std::move(volume_context)) {}

  grpc::Status NodePublishVolume(grpc::ServerContext* context,
                                 const v1::NodePublishVolumeRequest* request,
                                 v1::NodePublishVolumeResponse* response) override {
    v1::NodePublishVolumeRequest changed = *request;
    changed.set_readonly(true);
    for (const auto& [key, value] : volume_context_) {
      (*changed.mutable_volume_context())[key] = value;
    }
    return Forward(*context, driver_, &Stub::NodePublishVolume, changed, response);
  }

  grpc::Status NodeUnpublishVolume(grpc::ServerContext* context,
                                   const v1::NodeUnpublishVolumeRequest* request,
                                   v1::NodeUnpublishVolumeResponse* response) override {
    return Forward(*context, driver_, &Stub::NodeUnpublishVolume, *request, response);
  }

  grpc::Status NodeGetVolumeStats(grpc::ServerContext* context,
                                  const v1::NodeGetVolumeStatsRequest* request,
                                  v1::NodeGetVolumeStatsResponse* response) override {
    return Forward(*context, driver_, &Stub::NodeGetVolumeStats, *request, response);
  }

  grpc::Status NodeGetCapabilities(grpc::ServerContext* context,
                                   const v1::NodeGetCapabilitiesRequest* request,
                                   v1::NodeGetCapabilitiesResponse* response) override {
    return Forward(*context, driver_, &Stub::NodeGetCapabilities, *request, response);
  }

  grpc::Status NodeGetInfo(grpc::ServerContext* context, const v1::NodeGetInfoRequest* request,
                           v1::NodeGetInfoResponse* response) override {
    return Forward(*context, driver_, &Stub::NodeGetInfo, *request, response);
  }

 private:
  using Stub = v1::Node::Stub;
  Stub driver_;
  const std::map<std::string, std::string> volume_context_;
};

// What kubelet adds for an inline volume with podInfoOnMount.
std::map<std::string, std::string> PodInfo() {
  return {{"csi.storage.k8s.io/ephemeral", "true"},
          {"csi.storage.k8s.io/pod.name", "sanity"},
          {"csi.storage.k8s.io/pod.namespace", "default"},
          {"csi.storage.k8s.io/pod.uid", "00000000-0000-0000-0000-000000000001"},
          {"csi.storage.k8s.io/serviceAccount.name", "default"}};
}

int Main(int argc, char** argv) {
  std::string listen;
  std::string endpoint;
  std::vector<std::string> attributes;
  CLI::App app("Lets csi-sanity test a node-only driver of ephemeral volumes", "csi-sanity-shim");
  app.add_option("--listen", listen, "Path of the socket for csi-sanity")->required();
  app.add_option("--endpoint", endpoint, "Path of the driver's CSI socket")->required();
  app.add_option("--attribute", attributes, "A volume attribute, KEY=VALUE; can be repeated");
  CLI11_PARSE(app, argc, argv);

  std::map<std::string, std::string> volume_context = PodInfo();
  for (const std::string& attribute : attributes) {
    const auto equals = attribute.find('=');
    if (equals == std::string::npos) {
      std::cerr << "csi-sanity-shim: --attribute must be KEY=VALUE\n";
      return 2;
    }
    volume_context[attribute.substr(0, equals)] = attribute.substr(equals + 1);
  }

  // Blocked before gRPC starts threads, which inherit it; taken by sigwait below.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const auto driver = grpc::CreateChannel("unix:" + endpoint, grpc::InsecureChannelCredentials());
  IdentityShim identity(driver);
  ControllerShim controller;
  NodeShim node(driver, std::move(volume_context));
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + listen, grpc::InsecureServerCredentials());
  builder.RegisterService(&identity);
  builder.RegisterService(&controller);
  builder.RegisterService(&node);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) {
    std::cerr << "csi-sanity-shim: cannot listen on " << listen << '\n';
    return 1;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) { return escagent::testing::Main(argc, argv); }
