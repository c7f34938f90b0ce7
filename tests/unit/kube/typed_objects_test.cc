#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/duration.h"
#include "base/rfc3339.h"
#include "kube/lease.h"
#include "kube/token_review.h"
#include "tests/unit/kube/client_fixture.h"

namespace escagent::kube {
namespace {

using std::chrono::microseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string MicroTimeOf(std::string_view text) {
  const auto time = ParseRfc3339(text);
  return time ? FormatMicroTime(*time) : "none";
}

TEST(Rfc3339Test, ReadsWhatTheApiWrites) {
  EXPECT_EQ(MicroTimeOf("2026-11-24T14:05:09Z"), "2026-11-24T14:05:09.000000Z");
  EXPECT_EQ(MicroTimeOf("2026-11-24T14:05:09.000001Z"), "2026-11-24T14:05:09.000001Z");
  EXPECT_EQ(MicroTimeOf("2026-11-24T14:05:09.5Z"), "2026-11-24T14:05:09.500000Z");
  EXPECT_EQ(MicroTimeOf("2026-11-24T14:05:09.123456789Z"), "2026-11-24T14:05:09.123456Z");
  EXPECT_EQ(MicroTimeOf("2026-11-24T14:05:09+01:30"), "2026-11-24T12:35:09.000000Z");
  EXPECT_EQ(MicroTimeOf("2026-11-24T14:05:09.25-00:30"), "2026-11-24T14:35:09.250000Z");
  EXPECT_EQ(MicroTimeOf("1969-12-31T23:59:59.999999Z"), "1969-12-31T23:59:59.999999Z");
}

TEST(Rfc3339Test, RefusesTheRest) {
  for (const std::string_view text :
       {"", "soon", "2026-11-24", "2026-11-24 14:05:09Z", "2026-11-24T14:05:09",
        "2026-11-24T14:05:09.Z", "2026-11-24T14:05:09+1:00", "2026-11-24T14:05:09+01:00x",
        "2026-11-24T14:05:09+25:00", "2026-13-24T14:05:09Z", "2026-11-24T14:05:09ZZ"}) {
    EXPECT_EQ(MicroTimeOf(text), "none") << text;
  }
}

TEST(LeaseTest, RoundTrip) {
  Lease lease;
  lease.key = {"esc-agent", "shard-3"};
  lease.resource_version = "12";
  lease.labels = {{"a", "b"}};
  lease.annotations = {{"c", "d"}};
  lease.holder_identity = "node-1";
  lease.duration = std::chrono::seconds(15);
  lease.acquire_time = Lease::Time(microseconds(1795529109000001));
  lease.renew_time = *lease.acquire_time + std::chrono::seconds(5);
  lease.transitions = 4;
  const Object object = ToObject(lease);
  EXPECT_EQ(object.json()["spec"]["renewTime"], "2026-11-24T14:05:14.000001Z");
  EXPECT_EQ(object.json()["spec"]["leaseDurationSeconds"], 15);
  const Result<Lease> read = ParseLease(object);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->key, lease.key);
  EXPECT_EQ(read->resource_version, "12");
  EXPECT_EQ(read->labels, lease.labels);
  EXPECT_EQ(read->annotations, lease.annotations);
  EXPECT_EQ(read->holder_identity, "node-1");
  EXPECT_EQ(read->duration, lease.duration);
  EXPECT_EQ(read->acquire_time, lease.acquire_time);
  EXPECT_EQ(read->renew_time, lease.renew_time);
  EXPECT_EQ(read->transitions, 4);
}

TEST(LeaseTest, NobodysLease) {
  Lease lease;
  lease.key = {"esc-agent", "shard-3"};
  const Object object = ToObject(lease);
  EXPECT_EQ(object.json()["spec"], nlohmann::json({{"leaseTransitions", 0}}))
      << "the API refuses an empty holder and a duration of 0";
  const Result<Lease> read = ParseLease(
      MakeObject(R"({"metadata":{"name":"a","namespace":"b"},"spec":{"holderIdentity":null}})"));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->holder_identity, "");
  EXPECT_FALSE(read->renew_time);
  const Result<Lease> bad = ParseLease(
      MakeObject(R"({"metadata":{"name":"a","namespace":"b"},"spec":{"renewTime":"soon"}})"));
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, AllOf(HasSubstr("b/a"), HasSubstr("renewTime")));
}

class TokenReviewTest : public ClientTest {
 protected:
  Result<TokenUser> Review(const std::string& status, const std::vector<std::string>& audiences) {
    http_.Answer("POST", "/apis/authentication.k8s.io/v1/tokenreviews", 201,
                 R"({"kind":"TokenReview","status":{)" + status + "}}");
    return ReviewToken(client_, Secret(std::string_view("hush")), audiences, {});
  }
};

TEST_F(TokenReviewTest, SaysWhoseTokenItIs) {
  const Result<TokenUser> user = Review(R"("authenticated":true,"audiences":["b"],)"
                                        R"("user":{"username":"me","uid":"u1","groups":["g","h"]})",
                                        {"a", "b"});
  ASSERT_TRUE(user) << user.error().message;
  EXPECT_EQ(user->name, "me");
  EXPECT_EQ(user->uid, "u1");
  EXPECT_THAT(user->groups, ElementsAre("g", "h"));
  EXPECT_EQ(http_.Requests().at(0).body,
            R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview",)"
            R"("spec":{"audiences":["a","b"],"token":"hush"}})");
}

TEST_F(TokenReviewTest, RefusesOthers) {
  for (const std::string status :
       {R"("authenticated":false,"error":"token \"hush\" is bad")", R"("authenticated":"true")", "",
        R"("authenticated":true,"audiences":["z"],"user":{"username":"me"})",
        R"("authenticated":true,"user":{"username":"me"})",
        R"("authenticated":true,"audiences":["a"],"user":{})"}) {
    escagent::testing::FakeHttpTransport http;
    Client client({}, connection_, http, clock_);
    http.Answer("POST", "/apis/authentication.k8s.io/v1/tokenreviews", 201,
                R"({"status":{)" + status + "}}");
    const Result<TokenUser> user = ReviewToken(client, Secret(std::string_view("hush")), {"a"}, {});
    ASSERT_FALSE(user) << status;
    EXPECT_EQ(user.error().code, Code::kUnauthenticated);
    EXPECT_THAT(user.error().message, Not(HasSubstr("hush")));
  }
}

}  // namespace
}  // namespace escagent::kube
