#include "agent/mirror/external_secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/duration.h"
#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::vector<std::string> Problems(std::string_view spec) {
  const Result<ExternalSecret> parsed = ParseExternalSecret(ObjectJson(spec));
  EXPECT_TRUE(parsed);
  return parsed->spec_problems;
}

// The walkthrough's object, with the defaults that v1beta1's schema writes into it.
TEST(ParseExternalSecret, ReadsTheWalkthrough) {
  const ExternalSecret object = Parse(Json(R"({
      "apiVersion": "external-secrets.io/v1beta1", "kind": "ExternalSecret",
      "metadata": {"namespace": "podinfo", "name": "esc-secret-store", "uid": "u",
                   "resourceVersion": "12", "generation": 2,
                   "annotations": {"a": "1"}, "labels": {"l": "2"}, "finalizers": ["f"]},
      "spec": {"dataFrom": [{"extract": {"conversionStrategy": "Default", "decodingStrategy": "None",
                                         "metadataPolicy": "None", "key": "app"}}],
               "refreshInterval": "10s",
               "secretStoreRef": {"kind": "ClusterSecretStore", "name": "secret-store"},
               "target": {"creationPolicy": "Owner", "deletionPolicy": "Retain"}},
      "status": {"refreshTime": "2026-11-24T14:05:09Z", "syncedResourceVersion": "2-abc",
                 "binding": {"name": "esc-secret-store"},
                 "conditions": [{"type": "Other", "status": "True"},
                                {"type": "Ready", "status": "True", "reason": "SecretSynced",
                                 "message": "secret synced",
                                 "lastTransitionTime": "2026-11-24T14:05:08Z"}]}})"));
  EXPECT_EQ(object.namespace_name, "podinfo");
  EXPECT_EQ(object.target_name(), "esc-secret-store");
  EXPECT_EQ(object.uid, "u");
  EXPECT_EQ(object.resource_version, "12");
  EXPECT_EQ(object.generation, 2);
  EXPECT_FALSE(object.deleting);
  EXPECT_THAT(object.finalizers, ElementsAre("f"));
  EXPECT_EQ(object.annotations.at("a"), "1");
  EXPECT_EQ(object.labels.at("l"), "2");
  EXPECT_EQ(object.spec.refresh_interval, std::chrono::seconds(10));
  EXPECT_TRUE(object.spec.RefreshesPeriodically());
  EXPECT_EQ(object.spec.store.ToString(), "ClusterSecretStore secret-store");
  ASSERT_THAT(object.spec.data_from, SizeIs(1));
  EXPECT_EQ(std::get<RemoteRef>(object.spec.data_from[0].query).key, "app");
  EXPECT_EQ(FormatTime(object.status.refresh_time.value()), "2026-11-24T14:05:09Z");
  EXPECT_EQ(object.status.synced_resource_version, "2-abc");
  EXPECT_EQ(object.status.binding_name, "esc-secret-store");
  ASSERT_NE(object.status.Ready(), nullptr);
  EXPECT_EQ(object.status.Ready()->last_transition_time, "2026-11-24T14:05:08Z");
}

TEST(ParseExternalSecret, HasEsosDefaults) {
  const ExternalSecret object = ObjectWith();
  EXPECT_EQ(object.spec.store.ToString(), "SecretStore podinfo/store");
  EXPECT_EQ(object.spec.refresh_policy, RefreshPolicy::kPeriodic);
  EXPECT_EQ(object.spec.refresh_interval, std::chrono::hours(1));
  EXPECT_EQ(object.spec.creation_policy, CreationPolicy::kOwner);
  EXPECT_EQ(object.spec.deletion_policy, DeletionPolicy::kRetain);
  EXPECT_FALSE(object.spec.immutable);
  EXPECT_EQ(object.spec.secret_template, nullptr);
  EXPECT_EQ(object.spec.sync_windows, nullptr);
  EXPECT_EQ(object.status.Ready(), nullptr);
}

TEST(ParseExternalSecret, ReadsEveryField) {
  const ExternalSecret object = ObjectWith(R"({
      "refreshPolicy": "OnChange",
      "syncWindows": {"kind": "deny", "windows": [{"schedule": "@daily", "duration": "2h"}]},
      "target": {"name": "other", "creationPolicy": "CreateOrMerge", "deletionPolicy": "Merge",
                 "immutable": true,
                 "template": {"type": "kubernetes.io/tls", "engineVersion": "v2",
                   "mergePolicy": "Merge", "data": {"k": "{{ .x }}"},
                   "metadata": {"labels": {"l": "1"}, "annotations": {"a": "2"},
                                "finalizers": ["example.com/f"]},
                   "templateFrom": [
                     {"literal": "lit", "target": "labels"},
                     {"configMap": {"name": "cm", "items": [{"key": "a"}]},
                      "secret": {"name": "s", "items": [{"key": "b", "templateAs": "KeysAndValues"}]},
                      "target": "Annotations", "valuesDecodingStrategy": "Base64"}]}},
      "data": [{"secretKey": "k", "remoteRef": {"key": "a.b", "decodingStrategy": "Auto",
                                                "nullBytePolicy": "Fail"},
                "sourceRef": {"storeRef": {"name": "own"}}}],
      "dataFrom": [{"find": {"path": "x", "name": {"regexp": "^a"}, "conversionStrategy": "Unicode"},
                    "rewrite": [{"regexp": {"source": "a", "target": "b"}},
                                {"transform": {"template": "{{ .value }}"}},
                                {"merge": {"strategy": "JSON", "into": "all", "priority": ["p"],
                                           "priorityPolicy": "IgnoreNotFound",
                                           "conflictPolicy": "Ignore"}}]}]})");
  const ExternalSecretSpec& spec = object.spec;
  EXPECT_EQ(spec.refresh_policy, RefreshPolicy::kOnChange);
  EXPECT_TRUE(spec.sync_windows->deny);
  ASSERT_THAT(spec.sync_windows->windows, SizeIs(1));
  EXPECT_EQ(spec.sync_windows->windows[0].duration, std::chrono::hours(2));
  EXPECT_EQ(object.target_name(), "other");
  EXPECT_EQ(spec.creation_policy, CreationPolicy::kCreateOrMerge);
  EXPECT_EQ(spec.deletion_policy, DeletionPolicy::kMerge);
  EXPECT_TRUE(spec.immutable);
  const SecretTemplate& rules = *spec.secret_template;
  EXPECT_EQ(rules.type, "kubernetes.io/tls");
  EXPECT_EQ(rules.merge_policy, TemplateMergePolicy::kMerge);
  EXPECT_EQ(rules.data.at("k"), "{{ .x }}");
  EXPECT_THAT(rules.finalizers, ElementsAre("example.com/f"));
  ASSERT_THAT(rules.from, SizeIs(3));
  EXPECT_EQ(rules.from[0].target, TemplateTarget::kLabels);
  EXPECT_EQ(rules.from[1].kind, TemplateFrom::Kind::kConfigMap);
  EXPECT_EQ(rules.from[2].kind, TemplateFrom::Kind::kSecret);
  EXPECT_EQ(rules.from[2].items[0].scope, TemplateScope::kKeysAndValues);
  EXPECT_EQ(rules.from[2].target, TemplateTarget::kAnnotations);
  EXPECT_EQ(rules.from[2].values_decoding, DecodingStrategy::kBase64);
  EXPECT_EQ(spec.data[0].remote.decoding, DecodingStrategy::kAuto);
  EXPECT_EQ(spec.data[0].remote.null_bytes, NullBytePolicy::kFail);
  const auto& find = std::get<FindQuery>(spec.data_from[0].query);
  EXPECT_EQ(find.path, "x");
  EXPECT_EQ(find.name_regexp, "^a");
  EXPECT_EQ(find.conversion, ConversionStrategy::kUnicode);
  ASSERT_THAT(spec.data_from[0].rewrite, SizeIs(3));
  const auto& merge = std::get<MergeRewrite>(spec.data_from[0].rewrite[2]);
  EXPECT_EQ(merge.into, "all");
  EXPECT_TRUE(merge.ignore_missing_priority);
  EXPECT_TRUE(merge.ignore_conflicts);
  std::vector<std::string> stores;
  for (const store::StoreId& id : spec.StoresUsed()) stores.push_back(id.ToString());
  EXPECT_THAT(stores, UnorderedElementsAre("SecretStore podinfo/own", "SecretStore podinfo/store"));
}

TEST(ParseExternalSecret, NeedsAnIdentity) {
  const nlohmann::json good = ObjectJson("{}");
  EXPECT_TRUE(ParseExternalSecret(good));
  for (const char* patch :
       {R"({"kind": "PushSecret"})", R"({"apiVersion": "external-secrets.io/v1alpha1"})",
        R"({"apiVersion": "example.com/v1"})", R"({"metadata": {"uid": null}})",
        R"({"metadata": {"namespace": null}})", R"({"metadata": {"name": 1}})",
        R"({"metadata": null})"}) {
    nlohmann::json bad = good;
    bad.merge_patch(Json(patch));
    const Result<ExternalSecret> parsed = ParseExternalSecret(bad);
    ASSERT_FALSE(parsed) << patch;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
  }
}

TEST(ParseExternalSecret, SaysWhatIsWrongWithASpec) {
  struct Case {
    const char* spec;
    const char* problem;
  };
  constexpr Case kCases[] = {
      {R"({"refreshPolicy": "Sometimes"})", "spec.refreshPolicy: must be one of Periodic, "},
      {R"({"refreshInterval": "soon"})", "spec.refreshInterval: \"soon\" is not a duration"},
      {R"({"refreshInterval": 10})", "spec.refreshInterval: must be a string"},
      {R"({"data": null, "dataFrom": null})", "spec: either data or dataFrom should be specified"},
      {R"({"target": {"deletionPolicy": "Delete", "creationPolicy": "Merge"}})",
       "spec.target: deletionPolicy=Delete must not be used when the controller doesn't own the "
       "secret. Please set creationPolicy=Owner"},
      {R"({"target": {"deletionPolicy": "Delete", "creationPolicy": "CreateOrMerge"}})",
       "spec.target: deletionPolicy=Delete must not"},
      {R"({"target": {"deletionPolicy": "Merge", "creationPolicy": "None"}})",
       "spec.target: deletionPolicy=Merge must not be used with creationPolicy=None"},
      {R"({"target": {"manifest": {"kind": "ConfigMap"}}})", "spec.target.manifest: is not supp"},
      {R"({"target": {"template": {"type": "bootstrap.kubernetes.io/token"}}})",
       "spec.target.template.type: \"bootstrap.kubernetes.io/token\" is not allowed"},
      {R"({"target": {"template": {"type": "kubernetes.io/service-account-token"}}})",
       "spec.target.template.type: \"kubernetes.io/service-account-token\" is not allowed"},
      {R"({"target": {"template": {"engineVersion": "v1"}}})", "engineVersion: must be v2"},
      {R"({"target": {"template": {"data": {"k": 1}}}})", "must be an object that holds strings"},
      {R"({"target": {"template": {"templateFrom": [{"target": "Data"}]}}})",
       "spec.target.template.templateFrom[0]: must have one of configMap, secret, literal"},
      {R"({"target": {"template": {"templateFrom": [{"literal": "x", "target": "spec"}]}}})",
       "templateFrom[0].target: must be one of Data, Annotations, Labels"},
      {R"({"target": {"template": {"templateFrom": [{"configMap": {"name": "c"}}]}}})",
       "configMap.items: must name at least one key"},
      {R"({"data": [{"secretKey": "k", "remoteRef": {"key": "a"}},
                    {"secretKey": "k", "remoteRef": {"key": "b"}}]})",
       "spec.data[1]: duplicate secretKey found: k"},
      {R"({"data": [{"secretKey": "a b", "remoteRef": {"key": "a"}}]})",
       "spec.data[0].secretKey: key \"a b\" has characters"},
      {R"({"data": [{"secretKey": "k"}]})", "spec.data[0].remoteRef: is required"},
      {R"({"data": [{"secretKey": "k", "remoteRef": {"key": "a..b"}}]})",
       "spec.data[0].remoteRef.key: read property path: "},
      {R"({"secretStoreRef": null})", "spec.dataFrom[0]: needs a store"},
      {R"({"secretStoreRef": {"kind": "Vault"}})", "spec.secretStoreRef.kind: must be one of"},
      {R"({"dataFrom": [{"extract": {"key": "a"}, "find": {}}]})",
       "spec.dataFrom[0]: extract and find must not be set together"},
      {R"({"dataFrom": [{}]})", "spec.dataFrom[0]: either extract or find should be specified"},
      {R"({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Password"}}}]})",
       "spec.dataFrom[0].sourceRef.generatorRef: generators are not supported"},
      {R"({"dataFrom": [{"find": {"name": {"regexp": "("}}}]})",
       "spec.dataFrom[0].find.name.regexp: is not a regular expression"},
      {R"({"dataFrom": [{"extract": {"key": "a"}, "rewrite": [{}]}]})",
       "spec.dataFrom[0].rewrite[0]: must have exactly one of regexp, transform, merge"},
      {R"({"dataFrom": [{"extract": {"key": "a"}, "rewrite": [{"regexp": {"source": "("}}]}]})",
       "spec.dataFrom[0].rewrite[0].regexp.source: is not a regular expression"},
      {R"({"dataFrom": [{"extract": {"key": "a"},
                         "rewrite": [{"merge": {"strategy": "JSON"}}]}]})",
       "spec.dataFrom[0].rewrite[0].merge.into: is required with strategy JSON"},
      {R"({"syncWindows": {"kind": "allow", "windows": [{"schedule": "x", "duration": "1h"}]}})",
       "spec.syncWindows.windows[0].schedule: expected 5 fields"},
      {R"({"syncWindows": {"kind": "allow", "windows": [{"schedule": "@daily"}]}})",
       "spec.syncWindows.windows[0].duration: must be positive"},
  };
  for (const Case& c : kCases) {
    nlohmann::json object = ObjectJson(
        R"({"secretStoreRef": {"name": "store"}, "dataFrom": [{"extract": {"key": "app"}}]})");
    object["spec"].merge_patch(Json(c.spec));
    const Result<ExternalSecret> parsed = ParseExternalSecret(object);
    ASSERT_TRUE(parsed) << c.spec;
    EXPECT_THAT(parsed->spec_problems, Contains(HasSubstr(c.problem))) << c.spec;
  }
}

TEST(ParseExternalSecret, ListsAllProblemsAtOnce) {
  EXPECT_THAT(Problems(R"({"refreshPolicy": 1, "target": [], "data": "x"})"),
              ElementsAre("spec.refreshPolicy: must be a string", "spec.target: must be an object",
                          "spec.data: must be a list"));
  EXPECT_THAT(Problems("[]"), ElementsAre("spec: must be an object",
                                          "spec: either data or dataFrom should be specified"));
}

TEST(ParseExternalSecret, DuplicateKeysAreAllowedUnlessRetained) {
  EXPECT_THAT(Problems(R"({"secretStoreRef": {"name": "s"}, "target": {"deletionPolicy": "Delete"},
                           "data": [{"secretKey": "k", "remoteRef": {"key": "a"}},
                                    {"secretKey": "k", "remoteRef": {"key": "b"}}]})"),
              IsEmpty());
}

}  // namespace
}  // namespace escagent::mirror
