#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/secret.h"
#include "esc/devserver/http_server.h"
#include "esc/devserver/webhook_sender.h"
#include "tests/component/devserver/server_fixture.h"

// Webhooks, received by a real server.

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr auto kPatience = 20s;

// Keeps what it is sent.
class Receiver {
 public:
  struct Message {
    std::string id;
    std::string kind;
    std::string signature;
    std::string body;
    json payload;
  };

  Receiver() {
    auto server = HttpServer::Start(
        "127.0.0.1:0",
        [this](const httplib::Request& request, httplib::Response& response, Connection&) {
          std::scoped_lock lock(mutex_);
          response.status = failures_ > 0 ? 503 : 200;
          if (failures_ > 0) --failures_;
          messages_.push_back({request.get_header_value("Pulumi-Webhook-ID"),
                               request.get_header_value("Pulumi-Webhook-Kind"),
                               request.get_header_value("Pulumi-Webhook-Signature"), request.body,
                               json::parse(request.body, nullptr, false)});
          arrived_.notify_all();
        });
    EXPECT_TRUE(server);
    server_ = *std::move(server);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()) + "/in"; }
  void Fail(int times) {
    std::scoped_lock lock(mutex_);
    failures_ = times;
  }
  // The next `count` messages; fewer when they do not come.
  std::vector<Message> Take(std::size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, kPatience, [&] { return messages_.size() >= count; });
    std::vector<Message> taken(messages_.begin(), messages_.end());
    messages_.clear();
    return taken;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Message> messages_;
  int failures_ = 0;
  std::unique_ptr<HttpServer> server_;
};

class WebhookTest : public ServerFixture {
 protected:
  void StartGlobal(const std::string& secret = "") {
    Server::Options options;
    options.webhook = Webhook{.url = receiver_.url()};
    if (!secret.empty()) {
      options.webhook->secret = std::make_shared<const Secret>(std::string_view(secret));
    }
    StartWith(std::move(options));
  }
  httplib::Result AddHook(json hook) {
    hook["name"] = "hook";
    if (!hook.contains("payloadUrl")) hook["payloadUrl"] = receiver_.url();
    return client_->Post(Env("/hooks"), hook.dump(), "application/json");
  }
  static std::string Env(const std::string& rest) { return kEnvironment + rest; }
  // The deliveries, once there are so many: a receiver knows of one before the server remembers it.
  json Deliveries(const std::string& webhook, std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    json list;
    do {
      list = Json(client_->Get(webhook + "/deliveries"));
    } while (list.size() < count && std::chrono::steady_clock::now() < deadline);
    return list;
  }
  void Save(const std::string& yaml, const std::string& path = kEnvironment) {
    const auto result = client_->Patch(path, yaml, "application/x-yaml");
    ASSERT_EQ(result->status, 200) << result->body;
  }

  Receiver receiver_;
};

TEST_F(WebhookTest, SignaturesAreHmacs) {
  // RFC 4231, test case 2.
  EXPECT_EQ(SignatureOf(Secret(std::string_view("Jefe")), "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_F(WebhookTest, TellsOfRevisions) {
  StartGlobal("s3cret");
  ASSERT_EQ(client_->Head(kEnvironment)->status, 200);
  Save("values: {v: two}");
  const auto messages = receiver_.Take(1);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind, "environment_revision_created");
  EXPECT_EQ(messages[0].signature,
            SignatureOf(Secret(std::string_view("s3cret")), messages[0].body));
  EXPECT_EQ(messages[0].id.size(), 32u);
  EXPECT_EQ(messages[0].payload["organization"]["githubLogin"], "acme");
  EXPECT_EQ(messages[0].payload["projectName"], "web");
  EXPECT_EQ(messages[0].payload["environmentName"], "dev");
  EXPECT_EQ(messages[0].payload["revision"], 2);
  EXPECT_FALSE(messages[0].body.contains("s3cret"));
}

TEST_F(WebhookTest, TellsImportersHoweverFar) {
  folder_.Write("acme/web/middle", "imports: [web/dev]");
  folder_.Write("acme/web/top", "imports: [web/middle]");
  folder_.Write("acme/web/other", "values: {}");
  StartGlobal();
  ASSERT_EQ(client_->Head(kEnvironment)->status, 200);
  Save("values: {v: two}");
  const auto messages = receiver_.Take(3);
  std::vector<std::string> told;
  for (const auto& message : messages) {
    told.push_back(message.kind + " " + message.payload["environmentName"].get<std::string>());
    if (message.kind != "imported_environment_changed") continue;
    EXPECT_EQ(message.payload["importedEnvironmentReference"],
              json({{"projectName", "web"}, {"environmentName", "dev"}, {"revision", 2}}));
    EXPECT_EQ(message.payload["affectedRevisions"], json::array({1}));
    EXPECT_EQ(message.signature, "");
  }
  EXPECT_THAT(told, UnorderedElementsAre("environment_revision_created dev",
                                         "imported_environment_changed middle",
                                         "imported_environment_changed top"));
}

TEST_F(WebhookTest, EnvironmentsHaveTheirOwn) {
  Start();
  const auto created = AddHook({{"active", true},
                                {"displayName", "mine"},
                                {"secret", "s3cret"},
                                {"filters", {"environment_revision_tag_created"}}});
  ASSERT_EQ(created->status, 201) << created->body;
  EXPECT_EQ(Json(created)["hasSecret"], true);
  EXPECT_FALSE(created->body.contains("s3cret"));
  Save("values: {v: two}");
  ASSERT_EQ(
      client_->Post(Env("/versions/tags"), R"({"name": "stable"})", "application/json")->status,
      204);
  const auto messages = receiver_.Take(1);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind, "environment_revision_tag_created");
  EXPECT_EQ(messages[0].payload["tag"]["name"], "stable");
  EXPECT_NE(messages[0].signature, "");

  ASSERT_EQ(Deliveries(Env("/hooks/hook"), 1).size(), 1u);
  const json ping = Json(client_->Post(Env("/hooks/hook/ping")));
  EXPECT_EQ(ping["kind"], "ping");
  EXPECT_EQ(ping["responseCode"], 200);
  EXPECT_EQ(receiver_.Take(1)[0].id, ping["id"].get<std::string>());
  const json deliveries = Json(client_->Get(Env("/hooks/hook/deliveries")));
  ASSERT_EQ(deliveries.size(), 2u);
  EXPECT_EQ(deliveries[0]["kind"], "ping");
  EXPECT_EQ(deliveries[1]["kind"], "environment_revision_tag_created");
}

TEST_F(WebhookTest, CanBeChanged) {
  Start();
  ASSERT_EQ(AddHook({{"secret", "x"}})->status, 201);
  EXPECT_EQ(AddHook({})->status, 409);
  EXPECT_EQ(AddHook({{"payloadUrl", "ftp://x"}})->status, 400);
  EXPECT_EQ(AddHook({{"format", "slack"}})->status, 400);
  EXPECT_EQ(AddHook({{"filters", "x"}})->status, 400);
  const auto patch = [&](json body) {
    body["payloadUrl"] = receiver_.url();
    return Json(client_->Patch(Env("/hooks/hook"), body.dump(), "application/json"));
  };
  EXPECT_EQ(patch({{"displayName", "new"}})["hasSecret"], true);
  EXPECT_EQ(patch({{"secret", "__remove-secret"}, {"active", false}})["hasSecret"], false);
  const json list = Json(client_->Get(Env("/hooks")));
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0], Json(client_->Get(Env("/hooks/hook"))));
  EXPECT_EQ(list[0]["active"], false);
  EXPECT_EQ(client_->Delete(Env("/hooks/hook"))->status, 204);
  for (const char* rest : {"", "/deliveries"}) {
    EXPECT_EQ(client_->Get(Env("/hooks/hook") + rest)->status, 404);
  }
  EXPECT_EQ(client_->Post(Env("/hooks/hook/ping"))->status, 404);
}

TEST_F(WebhookTest, TriesAgainAndNotForEver) {
  StartGlobal();
  ASSERT_EQ(client_->Head(kEnvironment)->status, 200);
  receiver_.Fail(1);
  Save("values: {v: two}");
  // The watcher sleeps, too.
  ASSERT_EQ(receiver_.Take(1).size(), 1u);
  ASSERT_TRUE(clock_.AwaitSleepers(2));
  clock_.Advance(WebhookSender::kRetryDelay);
  EXPECT_EQ(receiver_.Take(1).size(), 1u);
}

TEST_F(WebhookTest, SeesEditsOnDisk) {
  StartGlobal();
  ASSERT_EQ(client_->Head(kEnvironment)->status, 200);
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  folder_.Write("acme/web/dev", "values: {v: edited}");
  clock_.Advance(WebhookSender::kWatchInterval);
  const auto messages = receiver_.Take(1);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind, "environment_revision_created");
}

TEST_F(WebhookTest, EndsWhileItSends) {
  Server::Options options;
  options.webhook = Webhook{.url = "http://127.0.0.1:9/nobody"};
  StartWith(std::move(options));
  ASSERT_EQ(client_->Head(kEnvironment)->status, 200);
  Save("values: {v: two}");
  server_.reset();
}

class OrganizationWebhookTest : public WebhookTest {
 protected:
  static constexpr const char* kHooks = "/api/orgs/acme/hooks";

  httplib::Result Add(json hook) {
    hook["payloadUrl"] = receiver_.url();
    return client_->Post(kHooks, hook.dump(), "application/json");
  }
};

TEST_F(OrganizationWebhookTest, IsToldOfAllItsEnvironments) {
  folder_.Write("globex/web/dev", "");
  Start();
  const auto added = Add({{"name", "all"}, {"displayName", "All"}, {"secret", "s3cret"}});
  ASSERT_EQ(added->status, 201) << added->body;
  EXPECT_EQ(Json(added)["organizationName"], "acme");
  EXPECT_EQ(Json(added)["hasSecret"], true);
  EXPECT_FALSE(Json(added).contains("envName"));
  const json body = {{"project", "web"}, {"name", "new"}};
  for (const char* organization : {"globex", "acme"}) {
    ASSERT_EQ(client_
                  ->Post(std::string("/api/esc/environments/") + organization, body.dump(),
                         "application/json")
                  ->status,
              204);
  }
  const auto messages = receiver_.Take(1);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind, "environment_created");
  EXPECT_EQ(messages[0].payload["organization"]["githubLogin"], "acme");
  EXPECT_EQ(messages[0].payload["environmentName"], "new");
  EXPECT_EQ(messages[0].signature,
            SignatureOf(Secret(std::string_view("s3cret")), messages[0].body));
  // What an environment's own webhook cannot be told.
  ASSERT_EQ(client_->Delete("/api/esc/environments/acme/web/new")->status, 204);
  EXPECT_EQ(receiver_.Take(1)[0].kind, "environment_deleted");
  EXPECT_EQ(Deliveries(std::string(kHooks) + "/all", 2).size(), 2u);
}

TEST_F(OrganizationWebhookTest, LivesAndDies) {
  Start();
  EXPECT_EQ(Json(client_->Get(kHooks)), json::array());
  ASSERT_EQ(Add({{"name", "hook"}, {"filters", {"environment_deleted"}}})->status, 201);
  EXPECT_EQ(Add({{"name", "hook"}})->status, 409);
  const std::string path = std::string(kHooks) + "/hook";
  const json ping = Json(client_->Post(path + "/ping"));
  EXPECT_EQ(ping["responseCode"], 200);
  EXPECT_FALSE(receiver_.Take(1)[0].payload.contains("environmentName"));
  ASSERT_EQ(client_->Patch(path, R"({"displayName": "changed"})", "application/json")->status, 200);
  server_.reset();
  Start();
  EXPECT_EQ(Json(client_->Get(path))["displayName"], "changed");
  // Not the environments', nor another organization's.
  EXPECT_EQ(client_->Get(Env("/hooks/hook"))->status, 404);
  EXPECT_EQ(client_->Get("/api/orgs/globex/hooks")->status, 404);
  EXPECT_EQ(client_->Delete(path)->status, 204);
  EXPECT_EQ(client_->Delete(path)->status, 404);
  EXPECT_EQ(client_->Get(path)->status, 404);
  EXPECT_EQ(client_->Post(path + "/ping")->status, 404);
}

}  // namespace
}  // namespace escagent::devserver
