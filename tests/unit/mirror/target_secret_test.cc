#include "agent/mirror/target_secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(BuildTarget, WithoutATemplateMetadataIsCopied) {
  ExternalSecret object = ObjectWith();
  object.labels = {{"team", "a"}, {kCreatedByLabel, "somebody"}};
  object.annotations = {{"kubectl.kubernetes.io/last-applied-configuration", "{}"},
                        {kDataHashAnnotation, "stale"}};
  const auto target = BuildTarget(object, Data({{"k", "v"}}), {});
  ASSERT_TRUE(target);
  EXPECT_EQ(target->namespace_name, "podinfo");
  EXPECT_EQ(target->name, "app");
  EXPECT_EQ(target->type, "");
  EXPECT_EQ(Plain(target->data), (PlainData{{"k", "v"}}));
  EXPECT_EQ(target->labels, (StringMap{{"team", "a"},
                                       {kManagedLabel, "true"},
                                       {kCreatedByLabel, CreatedByHash("podinfo", "app")}}));
  EXPECT_EQ(target->annotations,
            (StringMap{{"kubectl.kubernetes.io/last-applied-configuration", "{}"}}));
  EXPECT_EQ(target->owner, (OwnerReference{.api_version = "external-secrets.io/v1",
                                           .kind = "ExternalSecret",
                                           .name = "app",
                                           .uid = "es-uid",
                                           .controller = true,
                                           .block_owner_deletion = true}));
}

TEST(BuildTarget, OnlyOwnersLeaveTheirMark) {
  for (const char* policy : {"Orphan", "Merge", "CreateOrMerge"}) {
    const auto target = BuildTarget(ObjectWith(std::string(R"({"target": {"creationPolicy": ")") +
                                               policy + R"(", "immutable": true}})"),
                                    Data({{"k", "v"}}), {});
    ASSERT_TRUE(target);
    EXPECT_FALSE(target->owner);
    EXPECT_EQ(target->labels, (StringMap{{kManagedLabel, "true"}})) << policy;
    EXPECT_TRUE(target->immutable);
  }
}

TEST(BuildTarget, RefusesMoreThanKubernetesTakes) {
  const std::string half(std::size_t{1} << 19U, 'x');
  EXPECT_TRUE(BuildTarget(ObjectWith(), Data({{"a", half}, {"b", half}}), {}));
  const auto target = BuildTarget(ObjectWith(), Data({{"a", half}, {"b", half}, {"c", "x"}}), {});
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().message,
            "the Secret would have 1048577 bytes of data; Kubernetes allows 1048576");
}

TEST(TemplateSourcesOf, ListsEachOnce) {
  EXPECT_THAT(TemplateSourcesOf(ObjectWith().spec), IsEmpty());
  const ExternalSecret object = ObjectWith(R"({"target": {"template": {"templateFrom": [
      {"secret": {"name": "s", "items": [{"key": "a"}]}},
      {"configMap": {"name": "c", "items": [{"key": "a"}]}},
      {"literal": "a: b"},
      {"secret": {"name": "s", "items": [{"key": "b"}]}}]}}})");
  EXPECT_THAT(
      TemplateSourcesOf(object.spec),
      ::testing::ElementsAre(TemplateSourceRef{.kind = TemplateFrom::Kind::kConfigMap, .name = "c"},
                             TemplateSourceRef{.kind = TemplateFrom::Kind::kSecret, .name = "s"}));
}

}  // namespace
}  // namespace escagent::mirror
