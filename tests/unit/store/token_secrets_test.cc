#include "agent/store/token_secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/strings.h"
#include "base/thread.h"
#include "kube/resource.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_cluster.h"

namespace escagent::store {
namespace {

using escagent::testing::FakeClock;
using escagent::testing::FakeCluster;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

const SecretKeyRef kRef{.name = "pulumi", .key = "pat", .namespace_name = "esc"};

class TokenSecretsTest : public ::testing::Test {
 protected:
  void PutToken(const std::string& token, const std::string& key = "pat") {
    SecretBuilder base64;
    EncodeBase64(token, base64);
    cluster_.Put(kube::Secrets(), {{"metadata", {{"name", "pulumi"}, {"namespace", "esc"}}},
                                   {"data", {{key, std::string(base64.Reveal())}}}});
  }
  std::string Read() {
    const Result<AccessToken> token = tokens_.Read(kRef);
    return token ? std::string(token->token->Reveal()) : token.error().ToString();
  }
  void FailWith(Code code, const std::string& verb) {
    client_.SetFault([=](std::string_view called, const kube::ObjectKey&) -> Status {
      if (called != verb) return {};
      return MakeError(code, "no");
    });
  }

  FakeClock clock_;
  FakeCluster cluster_;
  FakeCluster::Client client_{cluster_};
  std::atomic<int> changes_ = 0;
  TokenSecrets tokens_{{}, client_, client_, clock_, [this](const SecretKeyRef&) { ++changes_; }};
};

TEST_F(TokenSecretsTest, ReadsOnceAndThenFollows) {
  PutToken("pul-one\n");
  tokens_.AddStore(kRef);
  EXPECT_EQ(client_.Calls("get"), 0) << "nobody has asked";
  EXPECT_EQ(Read(), "pul-one");
  EXPECT_EQ(Read(), "pul-one");
  PutToken("pul-two");
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(Read(), "pul-two");
  clock_.Advance(std::chrono::hours(3));
  EXPECT_EQ(Read(), "pul-two");
  EXPECT_EQ(client_.Calls("get"), 1);
}

TEST_F(TokenSecretsTest, ASecretThatChangesElsewhereIsNoNews) {
  PutToken("pul-one");
  tokens_.AddStore(kRef);
  EXPECT_EQ(Read(), "pul-one");
  nlohmann::json secret = cluster_.Get(kube::Secrets(), {"esc", "pulumi"});
  secret["data"]["other"] = "eA==";
  cluster_.Put(kube::Secrets(), secret);
  EXPECT_EQ(changes_, 0);
}

TEST_F(TokenSecretsTest, SaysWhyThereIsNone) {
  tokens_.AddStore(kRef);
  EXPECT_THAT(Read(), HasSubstr("UNAUTHENTICATED: read the access token from Secret esc/pulumi, "
                                "key pat: there is no such Secret"));
  PutToken("pul-one", "other");
  EXPECT_EQ(changes_, 1);
  EXPECT_THAT(Read(), HasSubstr("no such key"));
  for (const char* bad : {"", "\n", "pul-canary two", "pul-canary\n\n"}) {
    PutToken(bad);
    EXPECT_THAT(Read(), HasSubstr("UNAUTHENTICATED")) << bad;
    EXPECT_THAT(Read(), Not(HasSubstr("canary")));
  }
  cluster_.Put(kube::Secrets(), {{"metadata", {{"name", "pulumi"}, {"namespace", "esc"}}},
                                 {"data", {{"pat", "***"}}}});
  EXPECT_THAT(Read(), HasSubstr("not base64"));
  cluster_.Put(kube::Secrets(), {{"metadata", {{"name", "pulumi"}, {"namespace", "esc"}}}});
  EXPECT_THAT(Read(), HasSubstr("no such key"));
  PutToken("pul-two");
  EXPECT_EQ(Read(), "pul-two");
  cluster_.Remove(kube::Secrets(), {"esc", "pulumi"});
  EXPECT_THAT(Read(), HasSubstr("there is no such Secret"));
}

TEST_F(TokenSecretsTest, WithoutRightsItSaysWhichAreMissing) {
  PutToken("pul-one");
  FailWith(Code::kPermissionDenied, "get");
  tokens_.AddStore(kRef);
  EXPECT_THAT(Read(), HasSubstr("needs the rights get and watch"));
}

TEST_F(TokenSecretsTest, AServerThatIsAwayIsUnavailableAndAskedAgain) {
  PutToken("pul-one");
  client_.Cut(true);
  tokens_.AddStore(kRef);
  EXPECT_THAT(Read(), HasSubstr("UNAVAILABLE"));
  const int calls = client_.Calls("get");
  EXPECT_THAT(Read(), HasSubstr("UNAVAILABLE"));
  EXPECT_EQ(client_.Calls("get"), calls) << "not at every call";
  clock_.Advance(seconds(2));
  Read();
  EXPECT_EQ(client_.Calls("get"), calls + 1);
  client_.Cut(false);
  EXPECT_EQ(changes_, 1) << "the watch has told";
  EXPECT_EQ(Read(), "pul-one");
}

TEST_F(TokenSecretsTest, WithoutAWatchItIsReadAgainWhenOld) {
  PutToken("pul-one");
  tokens_.AddStore(kRef);
  EXPECT_EQ(Read(), "pul-one");
  client_.Cut(true);
  PutToken("pul-two");
  EXPECT_EQ(Read(), "pul-one");
  clock_.Advance(seconds(11));
  EXPECT_EQ(Read(), "pul-one") << "what is known, while the server is away";
  EXPECT_EQ(client_.Calls("get"), 2);
}

TEST_F(TokenSecretsTest, TokensThatNoStoreNamesAreDropped) {
  PutToken("pul-one");
  tokens_.AddStore(kRef);
  tokens_.AddStore(kRef);
  EXPECT_EQ(Read(), "pul-one");
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  tokens_.RemoveStore(kRef);
  clock_.Advance(minutes(30));
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  EXPECT_EQ(Read(), "pul-one");
  EXPECT_EQ(client_.Calls("get"), 1) << "a store still names it";
  tokens_.RemoveStore(kRef);
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  clock_.Advance(minutes(4));
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  Read();
  EXPECT_EQ(client_.Calls("get"), 1) << "not yet";
  clock_.Advance(minutes(2));
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  PutToken("pul-two");
  EXPECT_EQ(changes_, 0) << "not followed any more";
  EXPECT_EQ(Read(), "pul-two");
  EXPECT_EQ(client_.Calls("get"), 2);
}

TEST_F(TokenSecretsTest, AStoreThatComesBackInTimeKeepsItsToken) {
  PutToken("pul-one");
  tokens_.AddStore(kRef);
  EXPECT_EQ(Read(), "pul-one");
  tokens_.RemoveStore(kRef);
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  clock_.Advance(minutes(4));
  tokens_.AddStore(kRef);
  clock_.Advance(minutes(4));
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  Read();
  EXPECT_EQ(client_.Calls("get"), 1);
}

TEST_F(TokenSecretsTest, ManyReadersAreOneCall) {
  PutToken("pul-one");
  tokens_.AddStore(kRef);
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 8; ++i) {
      readers.push_back(StartThread("reader", [&] { good += Read() == "pul-one" ? 1 : 0; }));
    }
  }
  EXPECT_EQ(good, 8);
  EXPECT_EQ(client_.Calls("get"), 1);
}

}  // namespace
}  // namespace escagent::store
