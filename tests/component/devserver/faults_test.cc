#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>

#include "tests/component/devserver/server_fixture.h"

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kHeadRoute = "HEAD /api/esc/environments/{org}/{project}/{env}";

class ServerFaultsTest : public ServerFixture {
 protected:
  void Put(const json& faults) {
    const auto result = client_->Put("/debug/faults", faults.dump(), "application/json");
    ASSERT_TRUE(result);
    ASSERT_EQ(result->status, 200) << result->body;
  }
};

TEST_F(ServerFaultsTest, CountsRequests) {
  Start();
  client_->Head(kEnvironment);
  client_->Head(kEnvironment);
  Open();
  client_->Get("/api/user");
  client_->Get("/nowhere");
  client_->set_default_headers({});
  const json counters = Json(client_->Get("/debug/requests"));
  const json of_environment = {
      {"total", 3},
      {"routes", {{kHeadRoute, 2}, {"POST /api/esc/environments/{org}/{project}/{env}/open", 1}}}};
  json expected = of_environment;
  expected["total"] = 5;
  expected["routes"]["GET /api/user"] = 1;
  expected["routes"]["(no route)"] = 1;
  expected["environments"]["acme/web/dev"] = of_environment;
  EXPECT_EQ(counters, expected);
  EXPECT_EQ(server_->counters().All().routes.at(kHeadRoute), 2u);
  EXPECT_EQ(client_->Delete("/debug/requests")->status, 204);
  EXPECT_EQ(Json(client_->Get("/debug/requests"))["total"], 0);
  EXPECT_EQ(client_->Post("/debug/requests/reset")->status, 204);
}

TEST_F(ServerFaultsTest, Status) {
  Start();
  Put({{"route", kHeadRoute}, {"status", 405}, {"times", 1}});
  EXPECT_EQ(client_->Head(kEnvironment)->status, 405);
  EXPECT_EQ(client_->Head(kEnvironment)->status, 200);
  Put({{"status", 429}, {"retryAfter", 7}, {"message", "slow down"}});
  const auto limited = client_->Get(kEnvironment);
  EXPECT_EQ(limited->status, 429);
  EXPECT_EQ(limited->get_header_value("Retry-After"), "7");
  EXPECT_EQ(Json(limited)["message"], "slow down");
  EXPECT_EQ(client_->Delete("/debug/faults")->status, 204);
  server_->faults().Add({.status = 503});
  const auto broken = client_->Get(kEnvironment);
  EXPECT_EQ(broken->status, 503);
  EXPECT_NE(broken->get_header_value("X-Pulumi-Request-ID"), "");
  EXPECT_EQ(client_->Post("/debug/faults", "{\"stauts\": 1}", "application/json")->status, 400);
  EXPECT_EQ(client_->Post("/debug/faults", "{", "application/json")->status, 400);
}

TEST_F(ServerFaultsTest, OneEnvironmentOnly) {
  folder_.Write("acme/web/prod", "values: {}");
  Start();
  Put({{"environment", "acme/web/prod"}, {"status", 500}});
  EXPECT_EQ(client_->Head(kEnvironment)->status, 200);
  EXPECT_EQ(client_->Head("/api/esc/environments/acme/web/prod")->status, 500);
}

TEST_F(ServerFaultsTest, DelayPassesOnTheServersClock) {
  Start();
  server_->faults().Add({.delay = 30s, .times = 1});
  auto answer = std::async(std::launch::async, [&] { return MakeClient()->Head(kEnvironment); });
  clock_.AwaitSleepers(1);
  EXPECT_EQ(client_->Head(kEnvironment)->status, 200);  // others are served meanwhile
  clock_.Advance(30s);
  EXPECT_EQ(answer.get()->status, 200);
}

TEST_F(ServerFaultsTest, HangEndsWhenTheServerStops) {
  Start();
  server_->faults().Add({.hang = true});
  auto answer = std::async(std::launch::async, [&] { return MakeClient()->Head(kEnvironment); });
  while (server_->counters().All().total == 0) std::this_thread::yield();
  EXPECT_EQ(answer.wait_for(0s), std::future_status::timeout);
  server_.reset();
  EXPECT_FALSE(answer.get());
}

TEST_F(ServerFaultsTest, HangEndsWhenTheClientLeaves) {
  Start();
  server_->faults().Add({.hang = true, .times = 1});
  client_->set_read_timeout(0, 50000);
  EXPECT_FALSE(client_->Head(kEnvironment));
  client_->set_read_timeout(10, 0);
  EXPECT_EQ(client_->Head(kEnvironment)->status, 200);
}

TEST_F(ServerFaultsTest, TruncatedAnswersEndEarly) {
  Start();
  const std::string id = Open();
  Put({{"truncate", true}, {"times", 1}});
  const auto cut = client_->Get(std::string(kEnvironment) + "/open/" + id);
  EXPECT_FALSE(cut) << cut->body;
  EXPECT_EQ(client_->Get(std::string(kEnvironment) + "/open/" + id)->status, 200);
}

TEST_F(ServerFaultsTest, OldServersLeaveOutNullAndTrace) {
  folder_.Write("acme/web/dev", "values: {n: null, v: 1}");
  Start();
  const std::string id = Open();
  Put({{"oldServer", true}});
  const json environment = Json(client_->Get(std::string(kEnvironment) + "/open/" + id));
  EXPECT_FALSE(environment["properties"]["n"].contains("value"));
  EXPECT_FALSE(environment["properties"]["v"].contains("trace"));
  EXPECT_EQ(environment["properties"]["v"]["value"], 1);
}

}  // namespace
}  // namespace escagent::devserver
