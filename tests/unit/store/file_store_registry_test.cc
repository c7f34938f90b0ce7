#include "agent/store/file_store_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/unit/store/store_fixture.h"

namespace escagent::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Store(const std::string& kind, const std::string& metadata,
                  const std::string& environment = "dev", const std::string& extra = "") {
  return "apiVersion: external-secrets.io/v1\nkind: " + kind + "\nmetadata: " + metadata +
         "\nspec:\n" + extra +
         "  provider:\n    pulumi:\n      organization: acme\n      project: web\n"
         "      environment: " +
         environment + "\n      accessToken: {secretRef: {name: \"file:token\"}}\n";
}

class FileStoreRegistryTest : public ::testing::Test {
 protected:
  FileStoreRegistryTest() { folder_.Write("token", "pul-abc123"); }

  Result<std::unique_ptr<FileStoreRegistry>> Load() {
    return FileStoreRegistry::Load(
        {.directory = folder_.path(), .default_api_url = "https://default.test/api/esc"});
  }
  FileStoreRegistry& registry() {
    if (!registry_) {
      auto loaded = Load();
      EXPECT_TRUE(loaded) << loaded.error().message;
      registry_ = std::move(loaded).value();
    }
    return *registry_;
  }
  std::string LoadError() {
    const auto loaded = Load();
    if (loaded) return "(loaded)";
    EXPECT_EQ(loaded.error().code, Code::kInvalidArgument);
    return loaded.error().message;
  }

  TempFolder folder_;

 private:
  std::unique_ptr<FileStoreRegistry> registry_;
};

TEST_F(FileStoreRegistryTest, ResolvesBothKinds) {
  folder_.Write("a.yaml", Store("SecretStore", "{name: app, namespace: podinfo}") + "---\n" +
                              Store("ClusterSecretStore", "{name: app}", "prod"));
  folder_.Write("b.yml", Store("SecretStore", "{name: app}", "other"));
  const Result<ResolvedStore> store = registry().SecretStore("podinfo", "app");
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(store->name, "SecretStore podinfo/app");
  EXPECT_EQ(store->api_url, "https://default.test/api/esc");
  EXPECT_EQ(store->ref.ToString(), "acme/web/dev");
  EXPECT_EQ(store->token->Reveal(), "pul-abc123");
  EXPECT_EQ(store->identity.size(), 64U);
  const Result<ResolvedStore> cluster = registry().ClusterSecretStore("anything", "app");
  ASSERT_TRUE(cluster);
  EXPECT_EQ(cluster->name, "ClusterSecretStore app");
  EXPECT_EQ(cluster->ref.environment, "prod");
  EXPECT_EQ(cluster->identity, store->identity);
  const Result<ResolvedStore> other = registry().SecretStore("default", "app");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->ref.environment, "other");
}

TEST_F(FileStoreRegistryTest, ReadsOnlyYamlFilesThatAreNotHidden) {
  folder_.Write("notes.txt", "{");
  folder_.Write(".hidden.yaml", "{");
  folder_.Write("empty.yaml", "");
  folder_.Write("comment.yaml", "# nothing\n---\n");
  EXPECT_TRUE(Load());
}

TEST_F(FileStoreRegistryTest, FollowsLinksAsKubeletMakesThem) {
  std::filesystem::create_directory(folder_.path() + "/..data");
  folder_.Write("..data/app.yaml", Store("SecretStore", "{name: app}"));
  std::filesystem::create_symlink("..data/app.yaml", folder_.path() + "/app.yaml");
  EXPECT_TRUE(registry().SecretStore("default", "app"));
}

TEST_F(FileStoreRegistryTest, LoadListsAllProblems) {
  folder_.Write("a.yaml", "kind: [\n");
  folder_.Write("b.yaml", Store("SecretStore", "{name: app}") + "---\n" +
                              Store("SecretStore", "{name: Bad}") + "---\n" +
                              Store("SecretStroe", "{name: x}"));
  folder_.Write("c.yaml", Store("SecretStore", "{name: app}"));
  std::string kubernetes = Store("SecretStore", "{name: k8s}");
  kubernetes.replace(kubernetes.find("file:token"), 10, "esc-secret");
  folder_.Write("d.yaml", kubernetes);
  folder_.Write("e.yaml",
                Store("ClusterSecretStore", "{name: labels}", "dev",
                      "  conditions: [{namespaceSelector: {matchLabels: {team: red}}}]\n"));
  EXPECT_THAT(LoadError(),
              AllOf(HasSubstr("read the stores in " + folder_.path() + ":\n"),
                    HasSubstr("a.yaml: invalid YAML"), HasSubstr("\n  b.yaml:12 ("),
                    HasSubstr("metadata.name: must be lower-case"),
                    HasSubstr("kind: must be SecretStore or ClusterSecretStore"),
                    HasSubstr("c.yaml:1 (SecretStore default/app): is already in b.yaml:1"),
                    HasSubstr("d.yaml:1 (SecretStore default/k8s): secretRef.name "
                              "\"esc-secret\": a store in a file must refer to its token with "
                              "file:PATH or env:NAME"),
                    HasSubstr("e.yaml:1 (ClusterSecretStore labels): spec.conditions: "
                              "namespaceSelector: label \"team\"")));
}

TEST_F(FileStoreRegistryTest, OtherObjectsInTheFolderAreLeftAlone) {
  folder_.Write("token", "pul-abc");
  folder_.Write("app.yaml", Store("SecretStore", "{name: app}") +
                                "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
                                "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\n"
                                "metadata: {name: app}\n");
  const auto registry = FileStoreRegistry::Load({.directory = folder_.path()});
  ASSERT_TRUE(registry) << registry.error().message;
  EXPECT_TRUE((*registry)->SecretStore("default", "app"));
}

TEST_F(FileStoreRegistryTest, TokensMayBeReferredToInAnyForm) {
  folder_.Write("token", "pul-abc");
  for (const char* form :
       {"file:token", "{file: token}", "{secretRef: {file: token}}",
        "{secretRef: {name: \"file:token\"}}", "{secretRef: {name: \"file:token\", key: T}}",
        "{secretRef: {name: esc, key: \"file:token\"}}"}) {
    folder_.Write("a.yaml", std::string("apiVersion: external-secrets.io/v1\nkind: SecretStore\n"
                                        "metadata: {name: app}\nspec: {provider: {pulumi: "
                                        "{organization: acme, project: web, environment: dev, "
                                        "accessToken: ") +
                                form + "}}}\n");
    const auto registry = FileStoreRegistry::Load({.directory = folder_.path()});
    ASSERT_TRUE(registry) << form << ": " << registry.error().message;
    const auto store = (*registry)->SecretStore("default", "app");
    ASSERT_TRUE(store) << form << ": " << store.error().message;
    EXPECT_EQ(store->token->Reveal(), "pul-abc") << form;
  }
}

TEST_F(FileStoreRegistryTest, LoadFailsWithoutTheFolder) {
  const auto loaded = FileStoreRegistry::Load({.directory = folder_.path() + "/absent"});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kInvalidArgument);
  EXPECT_THAT(loaded.error().message, HasSubstr("/absent"));
}

TEST_F(FileStoreRegistryTest, UnknownStoresAreNotFoundAndSayWhatIsThere) {
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}") + "---\n" +
                              Store("SecretStore", "{name: foreign, namespace: secret-ns}") +
                              "---\n" + Store("ClusterSecretStore", "{name: open}") + "---\n" +
                              Store("ClusterSecretStore", "{name: closed}", "dev",
                                    "  conditions: [{namespaces: [secret-ns]}]\n"));
  const Result<ResolvedStore> store = registry().SecretStore("default", "ap");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kNotFound);
  EXPECT_EQ(store.error().message,
            "read SecretStore default/ap: there is no such store; SecretStores for namespace "
            "default: app");
  const Result<ResolvedStore> empty = registry().SecretStore("empty", "app");
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr("namespace empty has no SecretStores"));
  const Result<ResolvedStore> cluster = registry().ClusterSecretStore("default", "app");
  ASSERT_FALSE(cluster);
  EXPECT_EQ(cluster.error().code, Code::kNotFound);
  EXPECT_THAT(cluster.error().message, AllOf(HasSubstr(": open"), Not(HasSubstr("closed"))));
}

TEST_F(FileStoreRegistryTest, ConditionsDecideAboutNamespaces) {
  folder_.Write("a.yaml",
                Store("ClusterSecretStore", "{name: app}", "dev",
                      "  conditions:\n    - namespaces: [podinfo]\n    - namespaceSelector:\n"
                      "        matchLabels: {kubernetes.io/metadata.name: web}\n"));
  EXPECT_TRUE(registry().ClusterSecretStore("podinfo", "app"));
  EXPECT_TRUE(registry().ClusterSecretStore("web", "app"));
  const Result<ResolvedStore> denied = registry().ClusterSecretStore("other", "app");
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, Code::kPermissionDenied);
  EXPECT_EQ(denied.error().message,
            "using cluster store \"app\" is not allowed from namespace \"other\": denied by "
            "spec.condition");
}

TEST_F(FileStoreRegistryTest, ADeniedNamespaceDoesNotLearnAboutTheToken) {
  folder_.Remove("token");
  folder_.Write("a.yaml", Store("ClusterSecretStore", "{name: app}", "dev",
                                "  conditions: [{namespaces: [podinfo]}]\n"));
  EXPECT_EQ(registry().ClusterSecretStore("other", "app").error().code, Code::kPermissionDenied);
  const Result<ResolvedStore> admitted = registry().ClusterSecretStore("podinfo", "app");
  ASSERT_FALSE(admitted);
  EXPECT_EQ(admitted.error().code, Code::kUnauthenticated);
  EXPECT_THAT(admitted.error().message, HasSubstr("ClusterSecretStore app: read the access token"));
}

TEST_F(FileStoreRegistryTest, ANewTokenIsANewIdentity) {
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}"));
  const std::string before = registry().SecretStore("default", "app")->identity;
  folder_.Write("token", "pul-rotated");
  const Result<ResolvedStore> after = registry().SecretStore("default", "app");
  ASSERT_TRUE(after);
  EXPECT_EQ(after->token->Reveal(), "pul-rotated");
  EXPECT_NE(after->identity, before);
}

TEST_F(FileStoreRegistryTest, ChangesOnDiskArePickedUp) {
  EXPECT_FALSE(registry().SecretStore("default", "app"));
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}"));
  EXPECT_EQ(registry().SecretStore("default", "app")->ref.environment, "dev");
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}", "production"));
  EXPECT_EQ(registry().SecretStore("default", "app")->ref.environment, "production");
  folder_.Remove("a.yaml");
  EXPECT_EQ(registry().SecretStore("default", "app").error().code, Code::kNotFound);
}

TEST_F(FileStoreRegistryTest, AReplacedFileOfTheSameSizeIsPickedUp) {
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}", "dev"));
  EXPECT_EQ(registry().SecretStore("default", "app")->ref.environment, "dev");
  folder_.Write("a.new", Store("SecretStore", "{name: app}", "prd"));
  std::filesystem::rename(folder_.path() + "/a.new", folder_.path() + "/a.yaml");
  EXPECT_EQ(registry().SecretStore("default", "app")->ref.environment, "prd");
}

TEST_F(FileStoreRegistryTest, WritesWithinOneTickOfTheFileSystemsClockAreNotMissed) {
  for (int i = 100; i < 200; ++i) {
    const std::string environment = "e" + std::to_string(i);
    folder_.Write("a.yaml", Store("SecretStore", "{name: app}", environment));
    ASSERT_EQ(registry().SecretStore("default", "app")->ref.environment, environment);
  }
}

TEST_F(FileStoreRegistryTest, ABrokenFileAffectsItsOwnStoresOnly) {
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}"));
  folder_.Write("b.yaml", Store("SecretStore", "{name: other}"));
  ASSERT_TRUE(registry().SecretStore("default", "app"));
  folder_.Write("a.yaml", "kind: [\n");
  EXPECT_TRUE(registry().SecretStore("default", "other"));
  for (int i = 0; i < 2; ++i) {
    const Result<ResolvedStore> broken = registry().SecretStore("default", "app");
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(broken.error().message, HasSubstr("a.yaml: invalid YAML"));
  }
  const Result<ResolvedStore> unknown = registry().SecretStore("default", "unknown");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("files that cannot be read"));
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}"));
  EXPECT_TRUE(registry().SecretStore("default", "app"));
}

TEST_F(FileStoreRegistryTest, AFaultyStoreLeavesItsNeighboursAlone) {
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}"));
  ASSERT_TRUE(registry().SecretStore("default", "app"));
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}", "a/b") + "---\n" +
                              Store("SecretStore", "{name: twin}") + "---\n" +
                              Store("SecretStore", "{name: twin}") + "---\n" +
                              Store("SecretStore", "{name: good}"));
  EXPECT_TRUE(registry().SecretStore("default", "good"));
  const Result<ResolvedStore> faulty = registry().SecretStore("default", "app");
  ASSERT_FALSE(faulty);
  EXPECT_EQ(faulty.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(faulty.error().message, HasSubstr("the environment must be 1 to 100"));
  const Result<ResolvedStore> twin = registry().SecretStore("default", "twin");
  ASSERT_FALSE(twin);
  EXPECT_EQ(twin.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(twin.error().message, HasSubstr("more than once"));
}

TEST_F(FileStoreRegistryTest, ManyThreadsAndChanges) {
  folder_.Write("a.yaml", Store("SecretStore", "{name: app}"));
  static_cast<void>(registry());
  std::atomic<bool> failed = false;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          if (!registry().SecretStore("default", "app")) failed = true;
        }
      });
    }
    for (int i = 0; i < 50; ++i) {
      folder_.Write("b.yaml", Store("SecretStore", "{name: b" + std::to_string(i) + "}"));
    }
  }
  EXPECT_FALSE(failed);
  EXPECT_TRUE(registry().SecretStore("default", "b49"));
}

TEST(FileStoreOidcTest, ATokenFileIsExchanged) {
  const TempFolder folder;
  testing::FakeClock clock;
  testing::FakeHttpTransport transport;
  identity::TokenCache identities({}, transport, clock);
  transport.Answer("POST", "/api/oauth/token", 200, R"({"access_token":"pul-exchanged"})");
  folder.Write("jwt", "projected-token\n");
  std::string store = Store("ClusterSecretStore", "{name: app}");
  const std::string token = "accessToken: {secretRef: {name: \"file:token\"}}";
  const std::string oidc =
      "auth: {oidcConfig: {organization: acme, tokenFile: " + folder.path() + "/jwt}}";
  store.replace(store.find(token), token.size(), oidc);
  folder.Write("a.yaml", store);
  const auto registry = FileStoreRegistry::Load({.directory = folder.path(),
                                                 .default_api_url = "https://default.test/api/esc",
                                                 .identities = &identities});
  ASSERT_TRUE(registry) << registry.error().message;
  const auto resolved = (*registry)->ClusterSecretStore("podinfo", "app");
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->token, nullptr);
  ASSERT_NE(resolved->tokens, nullptr);
  EXPECT_TRUE((*resolved->tokens->Get({}))->Equals("pul-exchanged"));
  EXPECT_THAT(transport.Requests().back().body, HasSubstr("subject_token=projected-token"));
  EXPECT_EQ((*registry)->ClusterSecretStore("other", "app")->identity, resolved->identity);
}

TEST(FileStoreOidcTest, AServiceAccountNeedsTheApiServer) {
  const TempFolder folder;
  std::string store = Store("SecretStore", "{name: app, namespace: podinfo}");
  const std::string token = "accessToken: {secretRef: {name: \"file:token\"}}";
  store.replace(store.find(token), token.size(),
                "auth: {oidcConfig: {organization: acme, serviceAccountRef: {name: esc}}}");
  folder.Write("a.yaml", store);
  const auto registry = FileStoreRegistry::Load({.directory = folder.path()});
  ASSERT_FALSE(registry);
  EXPECT_THAT(registry.error().message, HasSubstr("in a file use tokenFile"));
}

}  // namespace
}  // namespace escagent::store
