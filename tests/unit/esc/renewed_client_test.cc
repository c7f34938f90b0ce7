#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include "esc/client.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"

// The client with tokens that are renewed.

namespace escagent::esc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::string_view kPath = "/api/esc/environments/acme/web/dev";

// Gives "first-token", and after a refusal the next one.
class FakeTokenSource final : public TokenSource {
 public:
  Result<std::shared_ptr<const Secret>> Get(std::stop_token) override {
    if (error) return std::unexpected(*error);
    return std::make_shared<const Secret>(
        std::string_view(refused == 0 ? "first-token" : "next-token"));
  }
  void Refuse(const Secret& token) override {
    EXPECT_TRUE(token.Equals("first-token"));
    ++refused;
  }

  std::optional<Error> error;
  int refused = 0;
};

class RenewedClientTest : public ::testing::Test {
 protected:
  Client MakeClient() {
    Client::Options options;
    options.api_url = "https://esc.test";
    options.tokens = tokens_;
    return {options, transport_, clock_};
  }

  const EnvironmentRef ref_{"acme", "web", "dev", ""};
  escagent::testing::FakeHttpTransport transport_;
  escagent::testing::FakeClock clock_;
  const std::shared_ptr<FakeTokenSource> tokens_ = std::make_shared<FakeTokenSource>();
};

TEST_F(RenewedClientTest, ARefusedTokenIsRenewedOnce) {
  transport_.Answer("HEAD", kPath, 401, "");
  transport_.Answer("HEAD", kPath, 200, "", {{"ETag", "e1"}});
  const auto head = MakeClient().Head(ref_, {});
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->etag, "e1");
  ASSERT_EQ(transport_.Requests().size(), 2U);
  EXPECT_EQ(transport_.Requests()[0].authorization, "token first-token");
  EXPECT_EQ(transport_.Requests()[1].authorization, "token next-token");
}

TEST_F(RenewedClientTest, ASecondRefusalIsTheAnswer) {
  transport_.Answer("HEAD", kPath, 401, "");
  const auto head = MakeClient().Head(ref_, {});
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::kUnauthenticated);
  EXPECT_EQ(transport_.Requests().size(), 2U);
  EXPECT_EQ(tokens_->refused, 1);
}

TEST_F(RenewedClientTest, WithoutATokenNothingIsSent) {
  tokens_->error = Error{.code = Code::kPermissionDenied, .message = "no policy"};
  const auto head = MakeClient().Head(ref_, {});
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::kPermissionDenied);
  EXPECT_THAT(head.error().message, AllOf(HasSubstr("acme/web/dev"), HasSubstr("no policy")));
  EXPECT_TRUE(transport_.Requests().empty());
}

TEST_F(RenewedClientTest, OtherRefusalsRenewNothing) {
  transport_.Answer("HEAD", kPath, 403, "");
  EXPECT_FALSE(MakeClient().Head(ref_, {}));
  EXPECT_EQ(transport_.Requests().size(), 1U);
  EXPECT_EQ(tokens_->refused, 0);
}

}  // namespace
}  // namespace escagent::esc
