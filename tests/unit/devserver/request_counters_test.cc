#include "esc/devserver/request_counters.h"

#include <gtest/gtest.h>

namespace escagent::devserver {
namespace {

TEST(RequestCountersTest, CountsByRouteAndEnvironment) {
  RequestCounters counters;
  counters.Count("HEAD /e", "acme/web/dev");
  counters.Count("HEAD /e", "acme/web/prod");
  counters.Count("GET /api/user", "");
  EXPECT_EQ(counters.All().total, 3u);
  EXPECT_EQ(counters.All().routes.at("HEAD /e"), 2u);
  EXPECT_EQ(counters.Of("acme/web/dev").total, 1u);
  EXPECT_EQ(counters.Of("acme/web/none").total, 0u);
  EXPECT_EQ(counters.ToJson(), nlohmann::json::parse(R"({
    "total": 3,
    "routes": {"HEAD /e": 2, "GET /api/user": 1},
    "environments": {
      "acme/web/dev": {"total": 1, "routes": {"HEAD /e": 1}},
      "acme/web/prod": {"total": 1, "routes": {"HEAD /e": 1}}}})"));
}

TEST(RequestCountersTest, Resets) {
  RequestCounters counters;
  counters.Count("HEAD /e", "acme/web/dev");
  counters.Reset();
  EXPECT_EQ(counters.ToJson(),
            nlohmann::json::parse(R"({"total": 0, "routes": {}, "environments": {}})"));
}

TEST(RequestCountersTest, EnvironmentsAreBounded) {
  RequestCounters counters;
  for (std::size_t i = 0; i < RequestCounters::kMaxEnvironments + 3; ++i) {
    counters.Count("HEAD /e", "env" + std::to_string(i));
  }
  EXPECT_EQ(counters.ToJson()["environments"].size(), RequestCounters::kMaxEnvironments);
  EXPECT_EQ(counters.All().total, RequestCounters::kMaxEnvironments + 3);
}

}  // namespace
}  // namespace escagent::devserver
