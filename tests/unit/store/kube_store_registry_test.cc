#include "agent/store/kube_store_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/store/token_reader.h"
#include "tests/unit/store/kube_store_fixture.h"
#include "tests/unit/store/store_fixture.h"

namespace escagent::store {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

const StoreId kApp{StoreKind::kClusterSecretStore, "", "app"};

using KubeStoreRegistryTest = KubeStoreTest;

TEST_F(KubeStoreRegistryTest, ResolvesBothKinds) {
  PutClusterStore("app");
  PutStore("podinfo", "own");
  PutToken("pul-cluster\n");
  PutToken("pul-own", "podinfo");
  registry_.Start();
  const auto cluster = registry_.ClusterSecretStore("podinfo", "app");
  ASSERT_TRUE(cluster) << cluster.error().message;
  EXPECT_EQ(cluster->name, "ClusterSecretStore app");
  EXPECT_EQ(cluster->api_url, kDefaultApiUrl);
  EXPECT_EQ(cluster->ref.ToString(), "acme/web/dev");
  EXPECT_EQ(cluster->token->Reveal(), "pul-cluster") << "without the line break";
  const auto own = registry_.SecretStore("podinfo", "own");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->token->Reveal(), "pul-own");
  EXPECT_NE(own->identity, cluster->identity);
}

TEST_F(KubeStoreRegistryTest, EqualTokensAreOneIdentityAlsoWithFiles) {
  PutClusterStore("app");
  PutStore("podinfo", "own");
  PutToken("pul-same");
  PutToken("pul-same", "podinfo");
  registry_.Start();
  const TempFolder folder;
  folder.Write("token", "pul-same\n");
  const auto of_file =
      TokenReader(folder.path()).Read({.name = "file:token", .key = "", .namespace_name = ""});
  const auto cluster = registry_.ClusterSecretStore("podinfo", "app");
  const auto own = registry_.SecretStore("podinfo", "own");
  ASSERT_TRUE(of_file && cluster && own);
  EXPECT_EQ(cluster->identity, own->identity);
  EXPECT_EQ(cluster->identity, of_file->identity);
}

TEST_F(KubeStoreRegistryTest, BeforeTheFirstListingNothingIsKnown) {
  PutClusterStore("app");
  client_.Cut(true);
  registry_.Start();
  const auto store = registry_.ClusterSecretStore("podinfo", "app");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kUnavailable);
  EXPECT_THAT(store.error().message, HasSubstr("not been read yet"));
  EXPECT_EQ(registry_.WhoseIs(kApp), Ownership::kUnknown);
  EXPECT_FALSE(registry_.Synced());
  Told told;
  const int id = registry_.Listen(told.Listener());
  client_.Cut(false);
  EXPECT_TRUE(registry_.Synced());
  EXPECT_THAT(told.Take(), UnorderedElementsAre("ClusterSecretStore app", "namespace podinfo",
                                                "namespace esc", "synced"));
  EXPECT_EQ(registry_.WhoseIs(kApp), Ownership::kOurs);
  EXPECT_EQ(registry_.WhoseIs({StoreKind::kSecretStore, "podinfo", "app"}), Ownership::kAbsent);
  registry_.Unlisten(id);
}

TEST_F(KubeStoreRegistryTest, AnAbsentStoreIsNamedWithWhatIsThere) {
  PutClusterStore("app");
  PutClusterStore("closed", R"("conditions":[{"namespaces":["other"]}],)");
  PutClusterStore("foreign", R"("controller":"default",)");
  registry_.Start();
  const auto store = registry_.ClusterSecretStore("podinfo", "ap");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kNotFound);
  EXPECT_EQ(store.error().message,
            "could not get ClusterSecretStore \"ap\", there is no such store; "
            "ClusterSecretStores for namespace podinfo: app");
  EXPECT_THAT(registry_.SecretStore("podinfo", "x").error().message,
              HasSubstr("namespace podinfo has no SecretStores"));
}

TEST_F(KubeStoreRegistryTest, ForeignAndFaultyStoresAreRefused) {
  PutClusterStore("foreign", R"("controller":"default",)");
  PutClusterStore("faulty", R"("refreshInterval":-1,)");
  registry_.Start();
  for (const auto& [name, cause] : {std::pair("foreign", "spec.controller is \"default\""),
                                    std::pair("faulty", "spec.refreshInterval")}) {
    const auto store = registry_.ClusterSecretStore("podinfo", name);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(store.error().message, HasSubstr(cause));
  }
  EXPECT_EQ(registry_.WhoseIs({StoreKind::kClusterSecretStore, "", "foreign"}),
            Ownership::kForeign);
  EXPECT_EQ(registry_.WhoseIs({StoreKind::kClusterSecretStore, "", "faulty"}), Ownership::kOurs);
}

TEST_F(KubeStoreRegistryTest, ConditionsSelectByLabelsAsTheyAre) {
  PutClusterStore("app", R"("conditions":[{"namespaceSelector":{"matchLabels":{"esc":"yes"}}}],)");
  PutToken("pul-abc");
  registry_.Start();
  const auto denied = registry_.ClusterSecretStore("podinfo", "app");
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, Code::kPermissionDenied);
  EXPECT_EQ(denied.error().message,
            "using cluster store \"app\" is not allowed from namespace \"podinfo\": denied by "
            "spec.condition");
  EXPECT_TRUE(registry_.ResolveForValidation(kApp));
  Told told;
  const int id = registry_.Listen(told.Listener());
  PutNamespace("podinfo", R"({"esc":"yes"})");
  EXPECT_THAT(told.Take(), ElementsAre("namespace podinfo", "ClusterSecretStore app"));
  EXPECT_TRUE(registry_.ClusterSecretStore("podinfo", "app"));
  PutNamespace("podinfo", R"({"esc":"yes"})");
  EXPECT_THAT(told.Take(), IsEmpty());
  cluster_.Remove(kube::Namespaces(), {"", "podinfo"});
  EXPECT_THAT(told.Take(), ElementsAre("namespace podinfo", "ClusterSecretStore app"));
  registry_.Unlisten(id);
}

TEST_F(KubeStoreRegistryTest, ConditionsSelectByNameWithoutLabels) {
  PutClusterStore("app", R"("conditions":[{"namespaceSelector":{"matchLabels":
      {"kubernetes.io/metadata.name":"podinfo"}}}],)");
  PutToken("pul-abc");
  registry_.Start();
  EXPECT_TRUE(registry_.ClusterSecretStore("podinfo", "app"));
  EXPECT_FALSE(registry_.ClusterSecretStore("esc", "app"));
}

TEST_F(KubeStoreRegistryTest, TellsOfStoresButNotOfTheirStatus) {
  registry_.Start();
  Told told;
  const int id = registry_.Listen(told.Listener());
  PutClusterStore("app");
  EXPECT_THAT(told.Take(), ElementsAre("ClusterSecretStore app"));
  const auto patched = client_.Patch(
      StoreResource(StoreKind::kClusterSecretStore), {"", "app"}, kube::PatchType::kMerge,
      kube::Object(nlohmann::json{{"status", {{"capabilities", "ReadWrite"}}}}), "status", {});
  ASSERT_TRUE(patched);
  EXPECT_THAT(told.Take(), IsEmpty());
  EXPECT_EQ(registry_.Find(kApp)->status.capabilities, "ReadWrite") << "but it is known";
  PutClusterStore("app", R"("refreshInterval":7,)");
  EXPECT_THAT(told.Take(), ElementsAre("ClusterSecretStore app"));
  cluster_.Remove(StoreResource(StoreKind::kClusterSecretStore), {"", "app"});
  EXPECT_THAT(told.Take(), ElementsAre("ClusterSecretStore app"));
  EXPECT_EQ(registry_.WhoseIs(kApp), Ownership::kAbsent);
  registry_.Unlisten(id);
  PutClusterStore("app");
  EXPECT_THAT(told.Take(), IsEmpty());
}

TEST_F(KubeStoreRegistryTest, TellsOfTokensThatSomebodyHasUsed) {
  PutClusterStore("app");
  PutClusterStore("also");
  PutToken("pul-one");
  registry_.Start();
  Told told;
  const int id = registry_.Listen(told.Listener());
  PutToken("pul-two");
  EXPECT_THAT(told.Take(), IsEmpty()) << "nobody has asked for it";
  ASSERT_TRUE(registry_.ClusterSecretStore("podinfo", "app"));
  PutToken("pul-three");
  EXPECT_THAT(told.Take(),
              UnorderedElementsAre("ClusterSecretStore app", "ClusterSecretStore also"));
  EXPECT_EQ(registry_.ClusterSecretStore("podinfo", "also")->token->Reveal(), "pul-three");
  registry_.Unlisten(id);
}

TEST_F(KubeStoreRegistryTest, ATokenThatComesLaterIsTold) {
  PutClusterStore("app");
  registry_.Start();
  Told told;
  const int id = registry_.Listen(told.Listener());
  const auto missing = registry_.ClusterSecretStore("podinfo", "app");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kUnauthenticated);
  EXPECT_THAT(missing.error().message, HasSubstr("ClusterSecretStore app"));
  EXPECT_THAT(missing.error().message, HasSubstr("Secret esc/pulumi"));
  PutToken("pul-abc");
  EXPECT_THAT(told.Take(), Contains("ClusterSecretStore app"));
  EXPECT_TRUE(registry_.ClusterSecretStore("podinfo", "app"));
  registry_.Unlisten(id);
}

TEST_F(KubeStoreRegistryTest, WhatIsKnownIsServedWhileTheServerIsAway) {
  PutClusterStore("app");
  PutToken("pul-abc");
  registry_.Start();
  ASSERT_TRUE(registry_.ClusterSecretStore("podinfo", "app"));
  client_.Cut(true);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_FALSE(registry_.Health());
  const auto store = registry_.ClusterSecretStore("podinfo", "app");
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(store->token->Reveal(), "pul-abc");
  client_.Cut(false);
  EXPECT_TRUE(registry_.Health());
}

TEST_F(KubeStoreRegistryTest, GivesNamespacesAndStores) {
  PutNamespace("podinfo", R"({"team":"a"})");
  PutClusterStore("app");
  registry_.Start();
  EXPECT_EQ(registry_.NamespaceLabels("podinfo")->at("team"), "a");
  EXPECT_EQ(registry_.NamespaceLabels("none"), std::nullopt);
  EXPECT_EQ(registry_.Namespaces().size(), 2U);
  ASSERT_EQ(registry_.List().size(), 1U);
  EXPECT_EQ(registry_.List()[0]->id, kApp);
  EXPECT_EQ(registry_.Find({StoreKind::kSecretStore, "podinfo", "app"}), nullptr);
}

}  // namespace
}  // namespace escagent::store
