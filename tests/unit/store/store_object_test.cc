#include "agent/store/store_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/json.h"

namespace escagent::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

kube::Object Json(std::string_view text) {
  Result<nlohmann::json> json = ParseJson(text, "test");
  EXPECT_TRUE(json) << text;
  return kube::Object(json ? *std::move(json) : nlohmann::json());
}

// A ClusterSecretStore; `auth` replaces its access token, `more` stands under spec.
kube::Object ClusterStore(const std::string& more = "", const std::string& auth = "") {
  return Json(R"({"apiVersion":"external-secrets.io/v1","kind":"ClusterSecretStore",
    "metadata":{"name":"app","uid":"u1","resourceVersion":"17","generation":3,
                "labels":{"team":"a"}},
    "spec":{)" +
              more + R"("provider":{"pulumi":{"organization":"acme","project":"web",
      "environment":"dev",)" +
              (auth.empty() ? R"("auth":{"accessToken":{"secretRef":{"name":"pulumi","key":"pat",
                "namespace":"esc"}}})"
                            : auth) +
              R"(}}},
    "status":{"capabilities":"ReadWrite","conditions":[
      {"type":"Ready","status":"True","reason":"Valid","message":"store validated",
       "lastTransitionTime":"2026-01-01T00:00:00Z"}]}})");
}

StoreObject Parse(const kube::Object& object, StoreKind kind = StoreKind::kClusterSecretStore) {
  return ParseStoreObject(object, kind, "esc-agent");
}

TEST(StoreObjectTest, ReadsWhatIsThere) {
  const StoreObject store = Parse(ClusterStore(R"("refreshInterval":30,)"));
  EXPECT_THAT(store.problems, IsEmpty());
  EXPECT_TRUE(store.ours);
  EXPECT_EQ(store.id, (StoreId{StoreKind::kClusterSecretStore, "", "app"}));
  EXPECT_EQ(store.uid, "u1");
  EXPECT_EQ(store.resource_version, "17");
  EXPECT_EQ(store.generation, 3);
  EXPECT_EQ(store.labels.at("team"), "a");
  EXPECT_EQ(store.spec.ref.ToString(), "acme/web/dev");
  EXPECT_EQ(store.spec.token,
            (SecretKeyRef{.name = "pulumi", .key = "pat", .namespace_name = "esc"}));
  EXPECT_EQ(store.refresh_interval, milliseconds(30000));
  ASSERT_NE(store.status.Ready(), nullptr);
  EXPECT_EQ(store.status.Ready()->status, "True");
  EXPECT_EQ(store.status.capabilities, "ReadWrite");
}

TEST(StoreObjectTest, ATokenOfASecretStoreIsInItsNamespace) {
  const StoreObject store =
      Parse(Json(R"({"metadata":{"name":"app","namespace":"podinfo"},"spec":{"provider":{"pulumi":{
        "organization":"acme","project":"web","environment":"dev",
        "accessToken":{"secretRef":{"name":"pulumi","key":"pat"}}}}}})"),
            StoreKind::kSecretStore);
  EXPECT_THAT(store.problems, IsEmpty());
  EXPECT_EQ(store.id, (StoreId{StoreKind::kSecretStore, "podinfo", "app"}));
  EXPECT_EQ(store.spec.token.namespace_name, "podinfo");
}

TEST(StoreObjectTest, ReadsRefreshIntervals) {
  EXPECT_EQ(Parse(ClusterStore(R"("refreshInterval":"5m",)")).refresh_interval, minutes(5));
  EXPECT_EQ(Parse(ClusterStore(R"("refreshInterval":0,)")).refresh_interval, minutes(0));
  EXPECT_EQ(Parse(ClusterStore()).refresh_interval, minutes(0));
  for (const char* bad : {"-1", "\"-5m\"", "\"often\"", "true", "1.5"}) {
    const StoreObject store = Parse(ClusterStore("\"refreshInterval\":" + std::string(bad) + ","));
    EXPECT_THAT(store.ProblemText(), HasSubstr("spec.refreshInterval")) << bad;
  }
}

TEST(StoreObjectTest, OthersStoresAreForeign) {
  EXPECT_TRUE(Parse(ClusterStore(R"("controller":"esc-agent",)")).ours);
  const StoreObject other_class = Parse(ClusterStore(R"("controller":"default",)"));
  EXPECT_FALSE(other_class.ours);
  EXPECT_EQ(other_class.spec.controller, "default");
  EXPECT_THAT(other_class.problems, IsEmpty());
  EXPECT_FALSE(Parse(Json(R"({"metadata":{"name":"app"},"spec":{"provider":{"aws":{}}}})")).ours);
  EXPECT_FALSE(Parse(Json(R"({"metadata":{"name":"app"}})")).ours);
}

TEST(StoreObjectTest, TokensOfStoresInTheApiServerAreInSecrets) {
  const auto problems = [](const std::string& ref) {
    return Parse(ClusterStore("", "\"accessToken\":{\"secretRef\":" + ref + "}")).ProblemText();
  };
  EXPECT_EQ(problems(R"({"name":"a","key":"k","namespace":"n"})"), "");
  EXPECT_THAT(problems(R"({"name":"a","namespace":"n"})"), HasSubstr("secretRef.key is required"));
  EXPECT_THAT(problems(R"({"key":"k","namespace":"n"})"), HasSubstr("secretRef.name is required"));
  EXPECT_THAT(problems(R"({"name":"a","key":"k"})"), HasSubstr("cluster store requires namespace"));
  EXPECT_THAT(problems(R"({"name":"file:/etc/passwd","key":"k","namespace":"n"})"),
              HasSubstr("must name a Secret"));
}

TEST(StoreObjectTest, ReadsOidcConfig) {
  const StoreObject store = Parse(ClusterStore("", R"("auth":{"oidcConfig":{"organization":"acme",
      "serviceAccountRef":{"name":"esc","namespace":"shop","audiences":["a","b"]},
      "expirationSeconds":900}})"));
  EXPECT_EQ(store.ProblemText(), "");
  ASSERT_TRUE(store.spec.oidc);
  EXPECT_EQ(store.spec.oidc->organization, "acme");
  EXPECT_EQ(store.spec.oidc->namespace_name, "shop");
  EXPECT_EQ(store.spec.oidc->service_account, "esc");
  EXPECT_THAT(store.spec.oidc->audiences, ElementsAre("a", "b"));
  EXPECT_EQ(store.spec.oidc->lifetime, std::chrono::seconds(900));
}

TEST(StoreObjectTest, ChecksOidcConfig) {
  const auto problems = [](const std::string& config) {
    return Parse(ClusterStore("", R"("auth":{"oidcConfig":)" + config + "}")).ProblemText();
  };
  EXPECT_THAT(problems(R"({"organization":"acme"})"), HasSubstr("serviceAccountRef is required"));
  EXPECT_THAT(problems(R"({"serviceAccountRef":{"name":"esc","namespace":"n"}})"),
              HasSubstr("organization is required"));
  EXPECT_THAT(problems(R"({"organization":"acme","serviceAccountRef":{"namespace":"n"}})"),
              HasSubstr("name is required"));
  EXPECT_THAT(problems(R"({"organization":"acme","serviceAccountRef":{"name":"esc"}})"),
              HasSubstr("cluster store requires namespace"));
  EXPECT_THAT(problems(R"({"organization":"acme","tokenFile":"/token"})"),
              HasSubstr("tokenFile is for stores in files"));
  EXPECT_THAT(problems(R"({"organization":"acme","expirationSeconds":60,
                           "serviceAccountRef":{"name":"esc","namespace":"n"}})"),
              HasSubstr("from 600 to 90000"));
}

TEST(StoreObjectTest, KnowsWhoSelectsByLabels) {
  EXPECT_FALSE(Parse(ClusterStore(R"("conditions":[{"namespaces":["a"]}],)")).SelectsByLabel());
  EXPECT_TRUE(
      Parse(ClusterStore(R"("conditions":[{"namespaceSelector":{"matchLabels":{"a":"b"}}}],)"))
          .SelectsByLabel());
}

TEST(StoreObjectTest, AnythingIsRead) {
  for (const char* text :
       {"{}", R"({"spec":[]})", R"({"spec":{"provider":{"pulumi":7}}})",
        R"({"metadata":{"labels":[1]},"status":{"conditions":[1,{"type":2}]},"spec":
            {"provider":{"pulumi":{"accessToken":null,"auth":{"accessToken":[]}}},
             "conditions":{"a":1.5}}})"}) {
    const StoreObject store = Parse(Json(text));
    EXPECT_TRUE(!store.ours || !store.problems.empty()) << text;
  }
}

}  // namespace
}  // namespace escagent::store
