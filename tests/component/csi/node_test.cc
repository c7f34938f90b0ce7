// Node and Identity over a real socket: contents, codes, idempotency, load, and what gets logged.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "tests/component/csi/harness.h"

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kCanary = "canary-91e4-token";

class NodeTest : public CsiHarness {
 protected:
  NodeTest() { Start(); }

  grpc::Status Unpublish(const std::string& id, const std::string& target) const {
    grpc::ClientContext context;
    v1::NodeUnpublishVolumeRequest request;
    request.set_volume_id(id);
    request.set_target_path(target);
    v1::NodeUnpublishVolumeResponse response;
    return Node()->NodeUnpublishVolume(&context, request, &response);
  }

  grpc::Status Stats(const std::string& id, const std::string& path,
                     v1::NodeGetVolumeStatsResponse* response) const {
    grpc::ClientContext context;
    v1::NodeGetVolumeStatsRequest request;
    request.set_volume_id(id);
    request.set_volume_path(path);
    return Node()->NodeGetVolumeStats(&context, request, response);
  }

  grpc::Status Probe(v1::ProbeResponse* response) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    return Identity()->Probe(&context, {}, response);
  }
};

TEST_F(NodeTest, SaysWhoItIs) {
  grpc::ClientContext context;
  v1::GetPluginInfoResponse response;
  ASSERT_TRUE(Identity()->GetPluginInfo(&context, {}, &response).ok());
  EXPECT_EQ(response.name(), "csi.esc-agent.io");
  EXPECT_EQ(response.vendor_version(), "1.2.3");
}

TEST_F(NodeTest, HasNoPluginCapabilities) {
  grpc::ClientContext context;
  v1::GetPluginCapabilitiesResponse response;
  ASSERT_TRUE(Identity()->GetPluginCapabilities(&context, {}, &response).ok());
  EXPECT_EQ(response.capabilities_size(), 0);
}

TEST_F(NodeTest, ProbeFollowsTheVolumeService) {
  v1::ProbeResponse response;
  ASSERT_TRUE(Probe(&response).ok());
  EXPECT_TRUE(response.ready().value());

  volumes_.FailHealth(Error{Code::kNotFound, "open /dev/fuse: no such file", {}});
  const grpc::Status status = Probe(&response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "open /dev/fuse: no such file");
}

TEST_F(NodeTest, OffersStatsConditionAndMountGroup) {
  using Rpc = v1::NodeServiceCapability::RPC;
  grpc::ClientContext context;
  v1::NodeGetCapabilitiesResponse response;
  ASSERT_TRUE(Node()->NodeGetCapabilities(&context, {}, &response).ok());
  std::vector<int> types;
  for (const auto& capability : response.capabilities()) types.push_back(capability.rpc().type());
  EXPECT_THAT(types,
              ElementsAre(Rpc::GET_VOLUME_STATS, Rpc::VOLUME_CONDITION, Rpc::VOLUME_MOUNT_GROUP));
}

TEST_F(NodeTest, SaysWhichNode) {
  grpc::ClientContext context;
  v1::NodeGetInfoResponse response;
  ASSERT_TRUE(Node()->NodeGetInfo(&context, {}, &response).ok());
  EXPECT_EQ(response.node_id(), "node-a");
  EXPECT_EQ(response.max_volumes_per_node(), 0);
}

TEST_F(NodeTest, PublishHandsTheRequestOn) {
  v1::NodePublishVolumeRequest request = PublishRequest();
  (*request.mutable_secrets())["csi.storage.k8s.io/serviceAccount.tokens"] = kCanary;
  ASSERT_TRUE(Publish(request).ok());
  const auto requests = volumes_.Requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].volume_id, request.volume_id());
  EXPECT_EQ(requests[0].target_path, Target());
  EXPECT_EQ(requests[0].pod.namespace_name, "apps");
  EXPECT_EQ(requests[0].attributes, (std::map<std::string, std::string>{{"secretStore", "esc"}}));
  EXPECT_EQ(requests[0].volume_mount_group, "2000");
  EXPECT_EQ(requests[0].service_account_tokens, kCanary);
}

TEST_F(NodeTest, RefusesAPublishWithoutVolumeId) {
  v1::NodePublishVolumeRequest request = PublishRequest();
  request.clear_volume_id();
  const grpc::Status status = Publish(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "volume_id is missing");
  EXPECT_TRUE(volumes_.Requests().empty());
}

TEST_F(NodeTest, PassesErrorsOnUnchanged) {
  for (const Code code : {Code::kInvalidArgument, Code::kNotFound, Code::kPermissionDenied,
                          Code::kUnauthenticated, Code::kUnavailable, Code::kInternal}) {
    volumes_.FailPublish(Error{code, "open environment acme/web/dev: no", {}});
    const grpc::Status status = Publish(PublishRequest());
    EXPECT_EQ(static_cast<int>(status.error_code()), static_cast<int>(code));
    EXPECT_EQ(status.error_message(), "open environment acme/web/dev: no");
    EXPECT_TRUE(status.error_details().empty());
  }
}

TEST_F(NodeTest, UnpublishIsIdempotent) {
  const v1::NodePublishVolumeRequest request = PublishRequest();
  ASSERT_TRUE(Publish(request).ok());
  EXPECT_TRUE(std::filesystem::exists(Target()));
  EXPECT_TRUE(Unpublish(request.volume_id(), Target()).ok());
  EXPECT_FALSE(std::filesystem::exists(Target()));
  EXPECT_TRUE(Unpublish(request.volume_id(), Target()).ok());
  EXPECT_EQ(volumes_.VolumeCount(), 0U);
}

TEST_F(NodeTest, UnpublishChecksItsArguments) {
  EXPECT_EQ(Unpublish("", Target()).error_message(), "volume_id is missing");
  EXPECT_EQ(Unpublish("csi-1", "").error_message(), "target_path is missing");
  EXPECT_EQ(Unpublish("csi-1", "a/b").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Unpublish("csi-1", "/a/../b").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(NodeTest, StatsTellUsageAndCondition) {
  const v1::NodePublishVolumeRequest request = PublishRequest();
  ASSERT_TRUE(Publish(request).ok());
  volumes_.SetStats({.used_bytes = 70,
                     .total_bytes = 100,
                     .used_inodes = 3,
                     .total_inodes = 3,
                     .abnormal = true,
                     .condition = "stale for 5m"});
  v1::NodeGetVolumeStatsResponse response;
  ASSERT_TRUE(Stats(request.volume_id(), Target(), &response).ok());
  ASSERT_EQ(response.usage_size(), 2);
  EXPECT_EQ(response.usage(0).unit(), v1::VolumeUsage::BYTES);
  EXPECT_EQ(response.usage(0).used(), 70);
  EXPECT_EQ(response.usage(0).total(), 100);
  EXPECT_EQ(response.usage(0).available(), 30);
  EXPECT_EQ(response.usage(1).unit(), v1::VolumeUsage::INODES);
  EXPECT_EQ(response.usage(1).used(), 3);
  EXPECT_EQ(response.usage(1).available(), 0);
  EXPECT_TRUE(response.volume_condition().abnormal());
  EXPECT_EQ(response.volume_condition().message(), "stale for 5m");
}

TEST_F(NodeTest, StatsCodes) {
  ASSERT_TRUE(Publish(PublishRequest()).ok());
  const std::string id = PublishRequest().volume_id();
  v1::NodeGetVolumeStatsResponse response;
  EXPECT_EQ(Stats("", Target(), &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Stats(id, "", &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Stats("other", Target(), &response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Stats(id, folder_, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Stats(id, "some/path", &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(NodeTest, MethodsItDoesNotHaveAreUnimplemented) {
  for (const char* method : {"NodeStageVolume", "NodeUnstageVolume", "NodeExpandVolume"}) {
    grpc::GenericStub stub(
        grpc::CreateChannel("unix:" + CsiSocket(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, std::string("/csi.v1.Node/") + method,
                                            grpc::ByteBuffer(), &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
  }
}

TEST_F(NodeTest, AcceptsMessagesBeyondFourMebibytes) {
  v1::NodePublishVolumeRequest request = PublishRequest();
  (*request.mutable_secrets())["big"] = std::string(std::size_t{5} << 20, 'x');
  ASSERT_TRUE(Publish(request).ok());
  EXPECT_EQ(volumes_.Requests().at(0).secrets.at("big").size(), std::size_t{5} << 20);
}

TEST_F(NodeTest, SixteenPublishesAtOnceAllSucceed) {
  std::vector<std::jthread> threads;
  std::vector<grpc::Status> statuses(16);
  volumes_.HoldPublishes(true);
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    threads.emplace_back([this, i, &statuses] {
      v1::NodePublishVolumeRequest request = PublishRequest();
      request.set_volume_id("csi-" + std::to_string(i));
      request.set_target_path(Target() + std::to_string(i));
      statuses[i] = Publish(request);
    });
  }
  EXPECT_TRUE(volumes_.AwaitPublishing(4));
  // All publish threads are taken, and yet the driver is alive and can unpublish.
  v1::ProbeResponse response;
  EXPECT_TRUE(Probe(&response).ok());
  EXPECT_TRUE(server_->SelfProbe(std::chrono::seconds(5)));
  EXPECT_TRUE(Unpublish("csi-none", folder_ + "/none").ok());
  volumes_.HoldPublishes(false);
  threads.clear();
  for (const grpc::Status& status : statuses) EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(volumes_.VolumeCount(), 16U);
  EXPECT_EQ(volumes_.MaxPublishing(), 4U);
}

TEST_F(NodeTest, ACallerThatGivesUpInTheQueueIsNotPublishedFor) {
  volumes_.HoldPublishes(true);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      v1::NodePublishVolumeRequest request = PublishRequest();
      request.set_volume_id("csi-" + std::to_string(i));
      request.set_target_path(Target() + std::to_string(i));
      EXPECT_TRUE(Publish(request).ok());
    });
  }
  ASSERT_TRUE(volumes_.AwaitPublishing(4));
  v1::NodePublishVolumeRequest late = PublishRequest();
  late.set_volume_id("csi-late");
  EXPECT_EQ(Publish(late, milliseconds(100)).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  volumes_.HoldPublishes(false);
  threads.clear();
  ASSERT_TRUE(Publish(PublishRequest()).ok());
  for (const auto& request : volumes_.Requests()) EXPECT_NE(request.volume_id, "csi-late");
}

TEST_F(NodeTest, ADeadlineDuringThePublishIsTheCallers) {
  volumes_.HoldPublishes(true);
  EXPECT_EQ(Publish(PublishRequest(), milliseconds(100)).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  volumes_.HoldPublishes(false);
  // kubelet's next attempt finds the volume published.
  EXPECT_TRUE(Publish(PublishRequest()).ok());
}

TEST_F(NodeTest, LogsEachOutcomeOnceAndNoToken) {
  SetLogLevel(LogLevel::kDebug);
  ::testing::internal::CaptureStderr();
  v1::NodePublishVolumeRequest request = PublishRequest();
  (*request.mutable_volume_context())["csi.storage.k8s.io/serviceAccount.tokens"] = kCanary;
  (*request.mutable_secrets())["password"] = kCanary;
  ASSERT_TRUE(Publish(request).ok());
  ASSERT_TRUE(Publish(request).ok());
  volumes_.FailPublish(Error{Code::kUnavailable, "open environment acme/web/dev: down", {}});
  const grpc::Status failed = Publish(request);
  request.set_readonly(false);
  const grpc::Status refused = Publish(request);
  ASSERT_TRUE(Unpublish(request.volume_id(), Target()).ok());
  server_->Stop(milliseconds(1000));
  const std::string log = ::testing::internal::GetCapturedStderr();
  SetLogLevel(LogLevel::kInfo);

  EXPECT_THAT(log, Not(HasSubstr(kCanary)));
  EXPECT_THAT(failed.error_message(), Not(HasSubstr(kCanary)));
  EXPECT_THAT(refused.error_message(), Not(HasSubstr(kCanary)));
  std::vector<std::string> lines;
  std::istringstream stream(log);
  for (std::string line; std::getline(stream, line);) {
    if (line.find("\"method\":\"Node") != std::string::npos) lines.push_back(line);
  }
  ASSERT_EQ(lines.size(), 5U) << log;
  EXPECT_THAT(lines, Each(HasSubstr(request.volume_id())));
  EXPECT_THAT(lines[0], HasSubstr(R"("level":"info")"));
  EXPECT_THAT(lines[0], HasSubstr(R"("namespace":"apps","pod":"podinfo-0")"));
  EXPECT_THAT(lines[1], HasSubstr(R"("level":"debug")"));
  EXPECT_THAT(lines[2], HasSubstr(R"("level":"warn")"));
  EXPECT_THAT(lines[2], HasSubstr(R"("code":"UNAVAILABLE")"));
  EXPECT_THAT(lines[2], HasSubstr("open environment acme/web/dev: down"));
  EXPECT_THAT(lines[3], HasSubstr(R"("code":"INVALID_ARGUMENT")"));
  EXPECT_THAT(lines[4], HasSubstr(R"("level":"info")"));
}

}  // namespace
}  // namespace escagent::testing
