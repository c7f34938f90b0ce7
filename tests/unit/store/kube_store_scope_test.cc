// A registry with rights in some namespaces only.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/store/kube_store_registry.h"
#include "kube/scoped_informers.h"
#include "tests/unit/store/kube_store_fixture.h"

namespace escagent::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Passes on what is asked for, and keeps it.
class Asked final : public kube::Informers {
 public:
  explicit Asked(kube::Informers& informers) : informers_(informers) {}
  kube::InformerHandle Start(kube::Selection selection,
                             std::shared_ptr<kube::InformerHandler> handler) override {
    lines_.push_back(selection.resource.plural + " of " +
                     (selection.namespace_name.empty() ? "all" : selection.namespace_name));
    return informers_.Start(std::move(selection), std::move(handler));
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  kube::Informers& informers_;
  std::vector<std::string> lines_;
};

class KubeStoreScopeTest : public KubeStoreTest {
 protected:
  const kube::NamespaceScope scope_ = *kube::NamespaceScope::Parse("podinfo,shop");
  Asked asked_{client_};
  kube::ScopedInformers informers_{scope_, asked_};
  KubeStoreRegistry scoped_{{.scope = scope_}, client_, informers_, clock_};
};

TEST_F(KubeStoreScopeTest, AsksForStoresOfItsNamespacesOnly) {
  scoped_.Start();
  EXPECT_THAT(asked_.lines(), ElementsAre("secretstores of podinfo", "secretstores of shop"));
  EXPECT_TRUE(scoped_.Synced());
  EXPECT_TRUE(scoped_.Health());
  EXPECT_THAT(scoped_.Namespaces(), IsEmpty());
}

TEST_F(KubeStoreScopeTest, ServesStoresOfItsNamespaces) {
  PutStore("podinfo", "own");
  PutToken("pul-own", "podinfo");
  scoped_.Start();
  const auto own = scoped_.SecretStore("podinfo", "own");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->token->Reveal(), "pul-own");
  EXPECT_EQ(scoped_.WhoseIs({StoreKind::kSecretStore, "podinfo", "own"}), Ownership::kOurs);
  EXPECT_EQ(scoped_.WhoseIs({StoreKind::kSecretStore, "shop", "own"}), Ownership::kAbsent);
}

TEST_F(KubeStoreScopeTest, IsSyncedWithTheLastNamespace) {
  Told told;
  const int id = scoped_.Listen(told.Listener());
  client_.Cut(true);
  scoped_.Start();
  EXPECT_FALSE(scoped_.Synced());
  EXPECT_EQ(scoped_.WhoseIs({StoreKind::kSecretStore, "shop", "own"}), Ownership::kUnknown);
  EXPECT_THAT(told.Take(), IsEmpty());
  client_.Cut(false);
  EXPECT_TRUE(scoped_.Synced());
  EXPECT_THAT(told.Take(), ElementsAre("synced"));
  scoped_.Unlisten(id);
}

TEST_F(KubeStoreScopeTest, ClusterStoresAreOutOfScopeAndSaidToBe) {
  PutClusterStore("app");
  PutToken("pul-cluster");
  const StoreId app{StoreKind::kClusterSecretStore, "", "app"};
  // Before anything is read, too.
  for (const bool started : {false, true}) {
    if (started) scoped_.Start();
    const auto store = scoped_.ClusterSecretStore("podinfo", "app");
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Code::kFailedPrecondition);
    EXPECT_EQ(store.error().message,
              "could not get ClusterSecretStore app: this agent serves namespaces podinfo, shop "
              "only (--watch-namespaces) and reads no cluster-scoped stores; use a SecretStore");
    EXPECT_EQ(scoped_.WhoseIs(app), Ownership::kOutOfScope);
  }
  const Status by_labels = scoped_.CheckScope({StoreKind::kClusterSecretStore, "", ""});
  ASSERT_FALSE(by_labels);
  EXPECT_THAT(by_labels.error().message,
              HasSubstr("could not get ClusterSecretStores: this agent"));
}

TEST_F(KubeStoreScopeTest, OtherNamespacesAreOutOfScopeAndSaidToBe) {
  PutStore("esc", "own");
  PutToken("pul-own");
  scoped_.Start();
  const auto store = scoped_.SecretStore("esc", "own");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store.error().message,
            "could not get SecretStore esc/own: this agent serves namespaces podinfo, shop only "
            "(--watch-namespaces), not namespace esc");
  EXPECT_EQ(scoped_.WhoseIs({StoreKind::kSecretStore, "esc", "own"}), Ownership::kOutOfScope);
  EXPECT_EQ(client_.Calls("get"), 0) << "no token is read for it";
}

TEST_F(KubeStoreScopeTest, WithAllNamespacesNothingIsOutOfScope) {
  PutClusterStore("app");
  registry_.Start();
  EXPECT_TRUE(registry_.CheckScope({StoreKind::kClusterSecretStore, "", "app"}));
  EXPECT_TRUE(registry_.CheckScope({StoreKind::kSecretStore, "any", "app"}));
  EXPECT_EQ(registry_.WhoseIs({StoreKind::kClusterSecretStore, "", "app"}), Ownership::kOurs);
}

}  // namespace
}  // namespace escagent::store
