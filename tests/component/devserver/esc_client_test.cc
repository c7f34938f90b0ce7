#include "esc/client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/curl_transport.h"
#include "tests/component/devserver/server_fixture.h"

// The agent's own client against the server.

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;

class EscClientTest : public ServerFixture {
 protected:
  void SetUp() override {
    folder_.Write("acme/web/dev", "values:\n  app: {n: 1.10, s: {fn::secret: two}, nil: null}\n");
    Start("right");
    MakeEscClient("right");
  }

  void MakeEscClient(std::string_view token) {
    esc::Client::Options options;
    options.api_url = server_->url() + "/api/esc";
    options.token = std::make_shared<const Secret>(token);
    options.total_timeout = 2s;
    esc_ = std::make_unique<esc::Client>(std::move(options), transport_, wall_clock_);
  }

  std::string OpenSession(std::chrono::seconds duration) {
    const auto session = esc_->Open(ref_, duration, {});
    EXPECT_TRUE(session) << session.error().message;
    return session ? session->id : std::string();
  }

  const esc::EnvironmentRef ref_{"acme", "web", "dev", ""};
  CurlTransport transport_{CurlTransport::Options{.user_agent = "esc-agent-test"}};
  SystemClock wall_clock_;
  std::unique_ptr<esc::Client> esc_;
};

TEST_F(EscClientTest, OpensReadsAndLooks) {
  const auto head = esc_->Head(ref_, {});
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->revision, "1");
  const std::string id = OpenSession(60s);
  const auto properties = esc_->ReadSession(ref_, id, {});
  ASSERT_TRUE(properties) << properties.error().message;
  const esc::Value* app = properties->Find("app");
  ASSERT_NE(app, nullptr);
  EXPECT_EQ(app->Find("n")->ScalarText(), "1.10");
  EXPECT_EQ(app->Find("s")->ScalarText(), "two");
  EXPECT_TRUE(app->Find("s")->secret());
  EXPECT_EQ(app->Find("nil")->kind(), esc::Value::Kind::kNull);
  const auto property = esc_->ReadProperty(ref_, id, "app.s", {});
  ASSERT_TRUE(property) << property.error().message;
  EXPECT_EQ(property->ScalarText(), "two");
  const auto definition = esc_->GetDefinition(ref_, {});
  ASSERT_TRUE(definition);
  EXPECT_EQ(definition->revision, "1");
  EXPECT_EQ(definition->etag, head->etag);
}

TEST_F(EscClientTest, ReadsOldServers) {
  const std::string id = OpenSession(60s);
  server_->faults().Add({.old_server = true});
  const auto properties = esc_->ReadSession(ref_, id, {});
  ASSERT_TRUE(properties) << properties.error().message;
  ASSERT_NE(properties->Find("app"), nullptr);
  ASSERT_NE(properties->Find("app")->Find("nil"), nullptr);
  EXPECT_EQ(properties->Find("app")->Find("nil")->kind(), esc::Value::Kind::kNull);
}

TEST_F(EscClientTest, MapsErrors) {
  EXPECT_EQ(esc_->Head({"acme", "web", "none", ""}, {}).error().code, Code::kNotFound);
  EXPECT_EQ(esc_->Open({"acme", "web", "dev", "9"}, 60s, {}).error().code, Code::kNotFound);
  folder_.Write("acme/web/bad", "values: {v: '${missing}'}");
  const auto invalid = esc_->Open({"acme", "web", "bad", ""}, 60s, {});
  ASSERT_FALSE(invalid);
  EXPECT_EQ(invalid.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(invalid.error().message.contains("unknown property \"missing\""))
      << invalid.error().message;
  MakeEscClient("wrong");
  EXPECT_EQ(esc_->Head(ref_, {}).error().code, Code::kUnauthenticated);
}

TEST_F(EscClientTest, ExpiredSessionsAreGone) {
  const std::string id = OpenSession(60s);
  ASSERT_TRUE(esc_->ReadSession(ref_, id, {}));
  clock_.Advance(60s);
  EXPECT_FALSE(esc_->ReadSession(ref_, id, {}));
}

TEST_F(EscClientTest, MeetsFaults) {
  const auto code_of = [&](Fault fault) {
    server_->faults().Clear();
    server_->faults().Add(std::move(fault));
    const auto head = esc_->Head(ref_, {});
    return head ? Code::kOk : head.error().code;
  };
  EXPECT_EQ(code_of({.status = 403}), Code::kPermissionDenied);
  EXPECT_EQ(code_of({.status = 503}), Code::kUnavailable);
  EXPECT_EQ(code_of({.status = 405}), Code::kUnimplemented);
  EXPECT_EQ(code_of({.hang = true}), Code::kDeadlineExceeded);
  server_->faults().Clear();
  server_->faults().Add({.status = 429, .retry_after = 7s});
  const auto limited = esc_->Head(ref_, {});
  ASSERT_FALSE(limited);
  EXPECT_EQ(limited.error().code, Code::kResourceExhausted);
  EXPECT_EQ(limited.error().retry_after, 7s);
  server_->faults().Clear();
  const std::string id = OpenSession(60s);
  server_->faults().Add({.truncate = true});
  EXPECT_EQ(esc_->ReadSession(ref_, id, {}).error().code, Code::kUnavailable);
}

TEST_F(EscClientTest, ChecksTexts) {
  const auto good = esc_->CheckYaml("acme", Secret(std::string_view("values: {v: 1}")), {});
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_TRUE(good->diagnostics.empty());
  ASSERT_NE(good->properties.Find("v"), nullptr);
  const auto bad = esc_->CheckYaml("acme", Secret(std::string_view("values: {v: '${w}'}")), {});
  ASSERT_TRUE(bad) << bad.error().message;
  ASSERT_EQ(bad->diagnostics.size(), 1u);
  EXPECT_EQ(bad->diagnostics[0].line, 1);
}

}  // namespace
}  // namespace escagent::devserver
