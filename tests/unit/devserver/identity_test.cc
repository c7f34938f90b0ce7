#include "esc/devserver/identity.h"

#include <gtest/gtest.h>

#include <string>

namespace escagent::devserver {
namespace {

TEST(IdentityTest, PatternsHaveThreeWildcards) {
  for (const auto& [pattern, text, matches] : {std::tuple{"shop", "shop", true},
                                               {"shop", "shops", false},
                                               {"", "", true},
                                               {"", "x", false},
                                               {"*", "", true},
                                               {"*", "anything/at.all", true},
                                               {"shop/*", "shop/dev", true},
                                               {"shop/*", "shops/dev", false},
                                               {"*:web", "system:serviceaccount:shop:web", true},
                                               {"a*b*c", "a-b-b-c", true},
                                               {"a*b*c", "a-c-b", false},
                                               {"de?", "de", true},
                                               {"de?", "dev", true},
                                               {"de?", "devs", false},
                                               {"de.", "dev", true},
                                               {"de.", "de", false},
                                               {"a?b", "ab", true},
                                               {"?a", "a", true}}) {
    EXPECT_EQ(MatchesPattern(pattern, text), matches) << pattern << " " << text;
  }
  // No pattern takes long.
  EXPECT_FALSE(MatchesPattern("*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}

TEST(IdentityTest, MayWhatItIsFor) {
  const Identity everybody;
  EXPECT_TRUE(everybody.May(Permission::kWrite, "acme", "web/dev"));
  Identity some;
  some.organization = "acme";
  some.environments = {"web/*", "shared/base"};
  some.permission = Permission::kOpen;
  EXPECT_TRUE(some.May(Permission::kOpen, "acme", "web/dev"));
  EXPECT_TRUE(some.May(Permission::kRead, "acme", "shared/base"));
  EXPECT_FALSE(some.May(Permission::kWrite, "acme", "web/dev"));
  EXPECT_FALSE(some.May(Permission::kRead, "acme", "other/dev"));
  EXPECT_FALSE(some.May(Permission::kRead, "globex", "web/dev"));
}

}  // namespace
}  // namespace escagent::devserver
