#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "csi/proto/csi.grpc.pb.h"
#include "csi/server.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_volume_service.h"
#include "tests/tools/kubelet.h"

namespace escagent::testing {

namespace v1 = ::csi::v1;

// A CSI server on real sockets in a folder of its own, over a FakeVolumeService and a FakeClock.
class CsiHarness : public ::testing::Test {
 protected:
  CsiHarness();
  ~CsiHarness() override;

  // Options for sockets in the test's folder.
  csi::ServerOptions Options() const;
  // Starts with these options; a failure ends the test.
  std::unique_ptr<csi::Server> StartServer(csi::ServerOptions options);
  void Start() { server_ = StartServer(Options()); }

  std::unique_ptr<v1::Node::Stub> Node() const;
  std::unique_ptr<v1::Identity::Stub> Identity() const;
  v1::NodePublishVolumeRequest PublishRequest() const;
  grpc::Status Publish(const v1::NodePublishVolumeRequest& request,
                       std::chrono::milliseconds timeout = std::chrono::seconds(20)) const;

  std::string CsiSocket() const { return folder_ + "/plugin/csi.sock"; }
  std::string RegistryFolder() const { return folder_ + "/plugins_registry"; }
  std::string RegistrationSocket() const { return RegistryFolder() + "/csi.esc-agent.io-reg.sock"; }
  std::string Target() const { return folder_ + "/target"; }
  InlineVolume Volume() const;
  Kubelet MakeKubelet() const { return Kubelet({.root = folder_ + "/kubelet", .say = {}}); }

  std::string folder_;
  FakeClock clock_;
  FakeVolumeService volumes_;
  std::unique_ptr<csi::Server> server_;
};

// The inode at `path`, 0 when there is nothing.
ino_t InodeAt(const std::string& path);

// Whether `condition` came true within ten seconds.
bool Eventually(const std::function<bool()>& condition);

}  // namespace escagent::testing
