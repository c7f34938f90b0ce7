#include "agent/controller/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/kube/make_object.h"

namespace escagent::controller {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr char kDeployment[] = R"({
    "metadata": {"namespace": "n", "name": "web", "uid": "u", "resourceVersion": "5",
                 "annotations": {"esc-agent.io/restart-on-change": "true"}},
    "spec": {"template": {
      "metadata": {"annotations": {"secret.esc-agent.io/app": "h1"}},
      "spec": {
        "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "init"}}]}],
        "containers": [
          {"name": "a", "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "app", "key": "b"}}},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "map", "key": "c"}}}]},
          {"name": "b", "envFrom": [{"configMapRef": {"name": "map"}},
                                    {"prefix": "X_", "secretRef": {"name": "all"}}]}],
        "volumes": [{"name": "v", "secret": {"secretName": "mounted"}}]}}}})";

TEST(Workload, FindsTheSecretsOfItsEnv) {
  const auto workload = ReadWorkload(kube::Deployments(), kube::MakeObject(kDeployment));
  ASSERT_TRUE(workload);
  EXPECT_THAT(workload->secrets, UnorderedElementsAre("init", "app", "all"));
  EXPECT_EQ(workload->key.ToString(), "n/web");
  EXPECT_FALSE(workload->IsBehind("app", "h1"));
  EXPECT_TRUE(workload->IsBehind("app", "h2"));
  EXPECT_TRUE(workload->IsBehind("all", "h1")) << "never restarted for it";
}

TEST(Workload, MustAskForRestarts) {
  kube::Object object = kube::MakeObject(kDeployment);
  nlohmann::json& metadata = object.json()["metadata"];
  metadata["annotations"]["esc-agent.io/restart-on-change"] = "false";
  EXPECT_FALSE(ReadWorkload(kube::Deployments(), object));
  metadata["annotations"]["esc-agent.io/restart-on-change"] = "true";
  metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_FALSE(ReadWorkload(kube::Deployments(), object)) << "it is being deleted";
  EXPECT_FALSE(ReadWorkload(kube::Deployments(), kube::MakeObject(R"({"metadata": {}})")));
}

TEST(Workload, PatchTouchesTheTemplatesAnnotationsOnly) {
  const auto workload = ReadWorkload(kube::Deployments(), kube::MakeObject(kDeployment));
  ASSERT_TRUE(workload);
  EXPECT_EQ(RestartPatch(*workload, {{"app", "h2"}, {"all", "h3"}}).json(),
            kube::MakeObject(R"({"metadata": {"resourceVersion": "5"},
                "spec": {"template": {"metadata": {"annotations": {
                  "secret.esc-agent.io/app": "h2", "secret.esc-agent.io/all": "h3"}}}}})")
                .json());
}

TEST(Workload, AnnotationKeysStayWithinTheirLimit) {
  const std::string longest(63, 'a');
  EXPECT_EQ(RestartedForAnnotation(longest), "secret.esc-agent.io/" + longest);
  const std::string hashed = RestartedForAnnotation(longest + "b");
  EXPECT_LE(hashed.size() - hashed.find('/') - 1, 63U);
  EXPECT_NE(hashed, RestartedForAnnotation(longest + "c"));
}

TEST(Workload, ValuesDoNotShowTheHash) {
  const std::string value = RestartedForValue("uid", "hash");
  EXPECT_THAT(value, Not(HasSubstr("hash")));
  EXPECT_NE(value, RestartedForValue("uid", "other"));
  EXPECT_NE(value, RestartedForValue("other", "hash"));
}

}  // namespace
}  // namespace escagent::controller
