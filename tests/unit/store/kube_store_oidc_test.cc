#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/identity/service_account_subject.h"
#include "agent/identity/token_cache.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/unit/store/kube_store_fixture.h"

// Stores of the API server with auth.oidcConfig.

namespace escagent::store {
namespace {

using ::testing::HasSubstr;

class KubeStoreOidcTest : public KubeStoreTest {
 protected:
  KubeStoreOidcTest() {
    transport_.Answer("POST", "/api/oauth/token", 200, R"({"access_token":"pul-exchanged"})");
    Put(StoreResource(StoreKind::kSecretStore),
        R"({"metadata":{"name":"app","namespace":"podinfo"},"spec":{"provider":{"pulumi":{
            "organization":"acme","project":"web","environment":"dev","auth":{"oidcConfig":{
            "organization":"acme","serviceAccountRef":{"name":"esc","audiences":["vault"]},
            "expirationSeconds":900}}}}}})");
  }

  testing::FakeHttpTransport transport_;
  identity::TokenCache identities_{{}, transport_, clock_};
};

TEST_F(KubeStoreOidcTest, AServiceAccountsTokenIsExchanged) {
  KubeStoreRegistry registry({.identities = &identities_}, client_, client_, clock_);
  registry.Start();
  const auto resolved = registry.SecretStore("podinfo", "app");
  ASSERT_TRUE(resolved) << resolved.error().message;
  ASSERT_NE(resolved->tokens, nullptr);
  EXPECT_TRUE((*resolved->tokens->Get({}))->Equals("pul-exchanged"));
  const auto request = transport_.Requests().back();
  EXPECT_THAT(request.body, HasSubstr("expiration=900"));
  EXPECT_THAT(request.body,
              HasSubstr("subject_token=token-of-podinfo%2Fesc-for-urn%3Apulumi%3Aorg%3Aacme-2"));
  // Nothing new is asked for the next use.
  EXPECT_EQ(registry.SecretStore("podinfo", "app")->tokens, resolved->tokens);
}

TEST_F(KubeStoreOidcTest, WithoutIdentitiesTheErrorSaysSo) {
  registry_.Start();
  const auto resolved = registry_.SecretStore("podinfo", "app");
  ASSERT_FALSE(resolved);
  EXPECT_EQ(resolved.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(resolved.error().message, HasSubstr("oidcConfig"));
}

// An API that refuses to issue tokens.
class RefusingClient final : public kube::Api {
 public:
  explicit RefusingClient(Code code) : code_(code) {}
  Result<kube::Object> Get(const kube::Resource&, const kube::ObjectKey&,
                           const kube::CallOptions&) override {
    return Refuse();
  }
  Result<kube::Object> GetMetadata(const kube::Resource&, const kube::ObjectKey&,
                                   const kube::CallOptions&) override {
    return Refuse();
  }
  Result<kube::ListPage> List(const kube::Resource&, const kube::ListOptions&,
                              const kube::CallOptions&) override {
    return Refuse();
  }
  Result<kube::Object> Create(const kube::Resource&, const kube::Object&,
                              const kube::CallOptions&) override {
    return Refuse();
  }
  Result<kube::Object> Replace(const kube::Resource&, const kube::Object&,
                               const kube::CallOptions&) override {
    return Refuse();
  }
  Result<kube::Object> Patch(const kube::Resource&, const kube::ObjectKey&, kube::PatchType,
                             const kube::Object&, std::string_view,
                             const kube::CallOptions&) override {
    return Refuse();
  }
  Status Delete(const kube::Resource&, const kube::ObjectKey&, const kube::Preconditions&,
                const kube::CallOptions&) override {
    return Refuse();
  }
  Result<kube::Object> CreateSubresource(const kube::Resource&, const kube::ObjectKey&,
                                         std::string_view, const kube::Object&,
                                         const kube::CallOptions&) override {
    return Refuse();
  }

 private:
  std::unexpected<Error> Refuse() const { return MakeError(code_, "the API server says no"); }

  const Code code_;
};

TEST(ServiceAccountSubjectTest, TheApiServersRefusalIsNotEscs) {
  for (const auto& [given, expected] :
       {std::pair{Code::kPermissionDenied, Code::kFailedPrecondition},
        std::pair{Code::kUnauthenticated, Code::kFailedPrecondition},
        std::pair{Code::kNotFound, Code::kFailedPrecondition},
        std::pair{Code::kResourceExhausted, Code::kUnavailable},
        std::pair{Code::kDeadlineExceeded, Code::kUnavailable}}) {
    RefusingClient api(given);
    identity::ServiceAccountSubject subject(api, {"shop", "esc"}, {"a"}, std::chrono::seconds(60));
    EXPECT_EQ(subject.Get({}).error().code, expected);
  }
}

}  // namespace
}  // namespace escagent::store
