#include "csi/publish_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace escagent::csi {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr const char* kTokensKey = "csi.storage.k8s.io/serviceAccount.tokens";
constexpr const char* kCanary = "canary-7d1f-token";

v1::NodePublishVolumeRequest ValidRequest() {
  v1::NodePublishVolumeRequest request;
  request.set_volume_id("csi-1");
  request.set_target_path("/var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/esc/mount");
  request.set_readonly(true);
  auto& capability = *request.mutable_volume_capability();
  capability.mutable_mount();
  capability.mutable_access_mode()->set_mode(v1::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
  auto& context = *request.mutable_volume_context();
  context["csi.storage.k8s.io/ephemeral"] = "true";
  context["csi.storage.k8s.io/pod.name"] = "podinfo-0";
  context["csi.storage.k8s.io/pod.namespace"] = "apps";
  context["csi.storage.k8s.io/pod.uid"] = "u";
  context["csi.storage.k8s.io/serviceAccount.name"] = "podinfo";
  context["secretStore"] = "esc";
  context["path"] = "app.config";
  return request;
}

struct RefusedCase {
  const char* description;
  std::function<void(v1::NodePublishVolumeRequest&)> change;
  const char* message;
};

void PrintTo(const RefusedCase& c, std::ostream* out) { *out << c.description; }

class RefusedTest : public ::testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedTest, IsInvalidArgument) {
  v1::NodePublishVolumeRequest request = ValidRequest();
  (*request.mutable_volume_context())[kTokensKey] = kCanary;
  (*request.mutable_secrets())["password"] = kCanary;
  GetParam().change(request);
  const Result<PublishRequest> result = ParsePublishRequest(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
  EXPECT_THAT(result.error().message, HasSubstr(GetParam().message));
  EXPECT_THAT(result.error().message, Not(HasSubstr(kCanary)));
  EXPECT_THAT(request.SerializeAsString(), Not(HasSubstr(kCanary))) << "secrets were not wiped";
}

using Mode = v1::VolumeCapability::AccessMode;

std::function<void(v1::NodePublishVolumeRequest&)> WithoutContext(const char* key) {
  return [key](auto& request) { request.mutable_volume_context()->erase(key); };
}

std::function<void(v1::NodePublishVolumeRequest&)> WithMode(Mode::Mode mode) {
  return [mode](auto& request) {
    request.mutable_volume_capability()->mutable_access_mode()->set_mode(mode);
  };
}

std::function<void(v1::NodePublishVolumeRequest&)> WithTarget(std::string path) {
  return [path = std::move(path)](auto& request) { request.set_target_path(path); };
}

std::function<void(v1::NodePublishVolumeRequest&)> WithGroup(const char* group) {
  return [group](auto& request) {
    request.mutable_volume_capability()->mutable_mount()->set_volume_mount_group(group);
  };
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedTest,
    ::testing::Values(
        RefusedCase{"missing volume id", [](auto& r) { r.clear_volume_id(); },
                    "volume_id is missing"},
        RefusedCase{"missing target", WithTarget(""), "target_path is missing"},
        RefusedCase{"relative target", WithTarget("var/lib/mount"), "must be an absolute path"},
        RefusedCase{"dot-dot in the target", WithTarget("/var/lib/../../etc"), "\"..\""},
        RefusedCase{"target ends in dot-dot", WithTarget("/var/lib/.."), "\"..\""},
        RefusedCase{"NUL in the target", WithTarget(std::string("/var\0/x", 7)), "NUL"},
        RefusedCase{"endless target", WithTarget("/" + std::string(4096, 'a')), "too long"},
        RefusedCase{"no capability", [](auto& r) { r.clear_volume_capability(); },
                    "volume_capability is missing"},
        RefusedCase{"no access type",
                    [](auto& r) { r.mutable_volume_capability()->clear_access_type(); },
                    "access type is missing"},
        RefusedCase{"block volume", [](auto& r) { r.mutable_volume_capability()->mutable_block(); },
                    "block volume"},
        RefusedCase{
            "file system type",
            [](auto& r) { r.mutable_volume_capability()->mutable_mount()->set_fs_type("ext4"); },
            "csi.fsType must not be set"},
        RefusedCase{"mount option",
                    [](auto& r) {
                      r.mutable_volume_capability()->mutable_mount()->add_mount_flags("suid");
                    },
                    "only the SELinux option context="},
        RefusedCase{"group name", WithGroup("wheel"), "decimal group id"},
        RefusedCase{"negative group", WithGroup("-1"), "decimal group id"},
        RefusedCase{"group with a tail", WithGroup("12 "), "decimal group id"},
        RefusedCase{"group that means none", WithGroup("4294967295"), "decimal group id"},
        RefusedCase{"huge group", WithGroup("99999999999"), "decimal group id"},
        RefusedCase{"no access mode",
                    [](auto& r) { r.mutable_volume_capability()->clear_access_mode(); },
                    "access_mode must be"},
        RefusedCase{"several writers", WithMode(Mode::MULTI_NODE_MULTI_WRITER),
                    "access_mode must be"},
        RefusedCase{"single writer, many nodes", WithMode(Mode::MULTI_NODE_SINGLE_WRITER),
                    "access_mode must be"},
        RefusedCase{"unknown access mode", WithMode(static_cast<Mode::Mode>(99)),
                    "access_mode must be"},
        RefusedCase{"writable", [](auto& r) { r.set_readonly(false); },
                    "pod.spec.volumes[].csi.readOnly must be set to 'true'"},
        RefusedCase{"no pod info", [](auto& r) { r.clear_volume_context(); },
                    "set podInfoOnMount: true"},
        RefusedCase{"persistent volume",
                    [](auto& r) {
                      (*r.mutable_volume_context())["csi.storage.k8s.io/ephemeral"] = "false";
                    },
                    "only ephemeral inline volumes"},
        RefusedCase{"no pod name", WithoutContext("csi.storage.k8s.io/pod.name"), "pod.name"},
        RefusedCase{"no pod namespace", WithoutContext("csi.storage.k8s.io/pod.namespace"),
                    "pod.namespace"},
        RefusedCase{"no pod uid", WithoutContext("csi.storage.k8s.io/pod.uid"), "pod.uid"},
        RefusedCase{"no service account", WithoutContext("csi.storage.k8s.io/serviceAccount.name"),
                    "serviceAccount.name"}));

class AcceptedModeTest : public ::testing::TestWithParam<int> {};

TEST_P(AcceptedModeTest, IsAccepted) {
  v1::NodePublishVolumeRequest request = ValidRequest();
  WithMode(static_cast<Mode::Mode>(GetParam()))(request);
  EXPECT_TRUE(ParsePublishRequest(request));
}

INSTANTIATE_TEST_SUITE_P(All, AcceptedModeTest,
                         ::testing::Values(Mode::SINGLE_NODE_WRITER, Mode::SINGLE_NODE_READER_ONLY,
                                           Mode::MULTI_NODE_READER_ONLY,
                                           Mode::SINGLE_NODE_SINGLE_WRITER,
                                           Mode::SINGLE_NODE_MULTI_WRITER));

TEST(ParsePublishRequest, ConvertsEveryField) {
  v1::NodePublishVolumeRequest request = ValidRequest();
  auto& mount = *request.mutable_volume_capability()->mutable_mount();
  mount.set_volume_mount_group("2000");
  mount.add_mount_flags("context=\"system_u:object_r:container_file_t:s0:c1,c2\"");

  const Result<PublishRequest> result = ParsePublishRequest(request);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->volume_id, "csi-1");
  EXPECT_EQ(result->target_path, "/var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/esc/mount");
  EXPECT_EQ(result->pod.name, "podinfo-0");
  EXPECT_EQ(result->pod.namespace_name, "apps");
  EXPECT_EQ(result->pod.uid, "u");
  EXPECT_EQ(result->pod.service_account, "podinfo");
  EXPECT_THAT(result->attributes,
              UnorderedElementsAre(Pair("secretStore", "esc"), Pair("path", "app.config")));
  EXPECT_EQ(result->volume_mount_group, "2000");
  EXPECT_THAT(result->mount_flags,
              ElementsAre("context=\"system_u:object_r:container_file_t:s0:c1,c2\""));
  EXPECT_TRUE(result->service_account_tokens.Empty());
  EXPECT_THAT(result->secrets, IsEmpty());
}

TEST(ParsePublishRequest, TakesTokensFromVolumeContextAndWipesThem) {
  v1::NodePublishVolumeRequest request = ValidRequest();
  (*request.mutable_volume_context())[kTokensKey] = kCanary;
  const Result<PublishRequest> result = ParsePublishRequest(request);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->service_account_tokens.Reveal(), kCanary);
  EXPECT_FALSE(result->attributes.contains(kTokensKey));
  EXPECT_THAT(request.SerializeAsString(), Not(HasSubstr(kCanary)));
}

TEST(ParsePublishRequest, PrefersTokensFromSecrets) {
  v1::NodePublishVolumeRequest request = ValidRequest();
  (*request.mutable_volume_context())[kTokensKey] = "from the volume context";
  (*request.mutable_secrets())[kTokensKey] = kCanary;
  const Result<PublishRequest> result = ParsePublishRequest(request);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->service_account_tokens.Reveal(), kCanary);
  EXPECT_THAT(result->secrets, IsEmpty());
  EXPECT_THAT(request.SerializeAsString(), Not(HasSubstr("from the volume context")));
}

TEST(ParsePublishRequest, TakesPublishSecrets) {
  v1::NodePublishVolumeRequest request = ValidRequest();
  (*request.mutable_secrets())["accessToken"] = kCanary;
  const Result<PublishRequest> result = ParsePublishRequest(request);
  ASSERT_TRUE(result);
  ASSERT_TRUE(result->secrets.contains("accessToken"));
  EXPECT_EQ(result->secrets.at("accessToken").Reveal(), kCanary);
  EXPECT_THAT(request.SerializeAsString(), Not(HasSubstr(kCanary)));
}

TEST(ParsePublishRequest, DropsKeysThatOnlyKubeletMaySet) {
  v1::NodePublishVolumeRequest request = ValidRequest();
  (*request.mutable_volume_context())["csi.storage.k8s.io/from.a.later.kubelet"] = "x";
  const Result<PublishRequest> result = ParsePublishRequest(request);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->attributes.contains("csi.storage.k8s.io/from.a.later.kubelet"));
}

}  // namespace
}  // namespace escagent::csi
