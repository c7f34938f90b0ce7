#include "esc/devserver/faults.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;

constexpr const char* kHead = "HEAD /api/esc/environments/{org}/{project}/{env}";
constexpr const char* kGet = "GET /api/esc/environments/{org}/{project}/{env}";

TEST(FaultsTest, NothingIsWrongByDefault) {
  Faults faults;
  const Fault fault = faults.Take(kHead, "acme/web/dev");
  EXPECT_EQ(fault.status, 0);
  EXPECT_EQ(fault.delay, 0ms);
  EXPECT_FALSE(fault.hang || fault.truncate || fault.old_server);
}

TEST(FaultsTest, MatchesByRoutePathOrAll) {
  struct Case {
    const char* route;
    bool head;
    bool get;
  };
  for (const Case& c : {Case{"*", true, true}, Case{kHead, true, false}, Case{kGet, false, true},
                        Case{"/api/esc/environments/{org}/{project}/{env}", true, true},
                        Case{"/api/esc", false, false}}) {
    Faults faults;
    faults.Add({.route = c.route, .status = 503});
    EXPECT_EQ(faults.Take(kHead, "").status, c.head ? 503 : 0) << c.route;
    EXPECT_EQ(faults.Take(kGet, "").status, c.get ? 503 : 0) << c.route;
  }
}

TEST(FaultsTest, MatchesByEnvironment) {
  Faults faults;
  faults.Add({.environment = "acme/web/dev", .status = 503});
  EXPECT_EQ(faults.Take(kHead, "acme/web/dev").status, 503);
  EXPECT_EQ(faults.Take(kHead, "acme/web/prod").status, 0);
  EXPECT_EQ(faults.Take("GET /api/user", "").status, 0);
}

TEST(FaultsTest, TimesAreUsedUp) {
  Faults faults;
  faults.Add({.status = 500, .times = 2});
  faults.Add({.status = 429, .retry_after = 7s, .times = 3});
  EXPECT_EQ(faults.Take(kHead, "").status, 500);
  EXPECT_EQ(faults.Take(kHead, "").status, 500);
  const Fault third = faults.Take(kHead, "");
  EXPECT_EQ(third.status, 429);
  EXPECT_EQ(third.retry_after, 7s);
  EXPECT_EQ(faults.Take(kHead, "").status, 0);
  EXPECT_EQ(faults.ToJson().size(), 0u);
}

TEST(FaultsTest, FaultsAddUp) {
  Faults faults;
  faults.Add({.delay = 100ms});
  faults.Add({.delay = 50ms, .truncate = true});
  faults.Add({.old_server = true});
  const Fault fault = faults.Take(kHead, "");
  EXPECT_EQ(fault.delay, 150ms);
  EXPECT_TRUE(fault.truncate && fault.old_server);
  faults.Clear();
  EXPECT_EQ(faults.Take(kHead, "").delay, 0ms);
}

TEST(FaultsTest, ReadsWhatItWrites) {
  Faults faults;
  faults.Add({.route = kHead,
              .environment = "acme/web/dev",
              .status = 429,
              .message = "slow down",
              .retry_after = 3s,
              .delay = 1500ms,
              .hang = true,
              .truncate = true,
              .old_server = true,
              .times = 4});
  const auto read = Faults::FromJson(faults.ToJson());
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 1u);
  Faults again;
  again.Add(read->front());
  EXPECT_EQ(again.ToJson(), faults.ToJson());
  EXPECT_EQ(faults.ToJson()[0]["delay"], "1.5s");
}

TEST(FaultsTest, ReadsOneOrManyAndNumbersOfMilliseconds) {
  EXPECT_EQ(Faults::FromJson(nlohmann::json::parse(R"({"delay": 250})"))->front().delay, 250ms);
  EXPECT_EQ(Faults::FromJson(nlohmann::json::parse(R"([{}, {"status": 500}])"))->size(), 2u);
  EXPECT_EQ(Faults::FromJson(nlohmann::json::parse("[]"))->size(), 0u);
}

TEST(FaultsTest, RefusesWhatItDoesNotKnow) {
  for (const auto& [text, named] : {std::pair{R"({"stauts": 500})", "\"stauts\""},
                                    {R"({"status": 99})", "\"status\""},
                                    {R"({"status": "500"})", "\"status\""},
                                    {R"({"delay": "soon"})", "delay"},
                                    {R"({"delay": -1})", "\"delay\""},
                                    {R"({"hang": 1})", "\"hang\""},
                                    {R"({"route": 1})", "\"route\""},
                                    {R"({"retryAfter": "1s"})", "\"retryAfter\""},
                                    {R"({"times": "2"})", "\"times\""},
                                    {R"([1])", "object"}}) {
    const auto faults = Faults::FromJson(nlohmann::json::parse(text));
    ASSERT_FALSE(faults) << text;
    EXPECT_NE(faults.error().message.find(named), std::string::npos) << faults.error().message;
  }
}

}  // namespace
}  // namespace escagent::devserver
