#include "esc/devserver/router.h"

#include <gtest/gtest.h>

#include <string>

namespace escagent::devserver {
namespace {

void First(Backend&, const Request&, httplib::Response&) {}
void Second(Backend&, const Request&, httplib::Response&) {}

Router MakeRouter() {
  Router router;
  router.Add("GET", "/e/{org}/yaml/open", First);
  router.Add("GET", "/e/{org}/{project}/open", Second);
  router.Add("POST", "/e/{org}/{project}/open", Second);
  return router;
}

TEST(RouterTest, GivesTheArgumentsOfThePath) {
  std::string allowed;
  const auto match = MakeRouter().Find("POST", "/e/acme/web/open", allowed);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->route, "POST /e/{org}/{project}/open");
  EXPECT_EQ(match->arguments.at("org"), "acme");
  EXPECT_EQ(match->arguments.at("project"), "web");
  EXPECT_EQ(match->handler, &Second);
}

TEST(RouterTest, EarlierRoutesCountFirst) {
  std::string allowed;
  EXPECT_EQ(MakeRouter().Find("GET", "/e/acme/yaml/open", allowed)->handler, &First);
}

TEST(RouterTest, EmptyPartsAreSkipped) {
  std::string allowed;
  EXPECT_TRUE(MakeRouter().Find("GET", "//e/acme//web/open/", allowed));
}

TEST(RouterTest, TellsTheMethodsOfAPath) {
  std::string allowed;
  EXPECT_FALSE(MakeRouter().Find("DELETE", "/e/acme/web/open", allowed));
  EXPECT_EQ(allowed, "GET, POST");
  allowed.clear();
  EXPECT_FALSE(MakeRouter().Find("GET", "/e/acme", allowed));
  EXPECT_EQ(allowed, "");
}

}  // namespace
}  // namespace escagent::devserver
