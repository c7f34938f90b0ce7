#include "kube/namespace_scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace escagent::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

NamespaceScope Parsed(std::string_view list) {
  const Result<NamespaceScope> scope = NamespaceScope::Parse(list);
  EXPECT_TRUE(scope) << list;
  return scope ? *scope : NamespaceScope();
}

TEST(NamespaceScope, NothingIsAll) {
  for (const NamespaceScope& scope : {NamespaceScope(), Parsed(""), Parsed("  ")}) {
    EXPECT_TRUE(scope.IsAll());
    EXPECT_TRUE(scope.Contains("any"));
    EXPECT_TRUE(scope.Check("any"));
    EXPECT_EQ(scope.ToString(), "all namespaces");
  }
}

TEST(NamespaceScope, NamesAreASetWithoutBlanks) {
  const NamespaceScope scope = Parsed("shop, 0-podinfo ,shop");
  EXPECT_FALSE(scope.IsAll());
  EXPECT_THAT(scope.names(), ElementsAre("0-podinfo", "shop"));
  EXPECT_TRUE(scope.Contains("shop"));
  EXPECT_FALSE(scope.Contains("sho"));
  EXPECT_EQ(scope.ToString(), "namespaces 0-podinfo, shop only");
  EXPECT_EQ(Parsed("shop").ToString(), "namespace shop only");
}

TEST(NamespaceScope, WhoIsOutsideIsToldWhatIsServed) {
  const Status served = Parsed("a,b").Check("c");
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(served.error().message,
            "this agent serves namespaces a, b only (--watch-namespaces), not namespace c");
}

TEST(NamespaceScope, LongListsAreCutInTexts) {
  std::string list = "n00";
  for (int i = 1; i < 12; ++i) list += ",n" + std::to_string(i / 10) + std::to_string(i % 10);
  const std::string text = Parsed(list).ToString();
  EXPECT_THAT(text, HasSubstr("n09, ... only"));
  EXPECT_EQ(text.find("n10"), std::string::npos);
}

TEST(NamespaceScope, WhatIsNoNameIsRefusedAndQuoted) {
  const std::string longest(63, 'a');
  EXPECT_TRUE(IsNamespaceName(longest));
  EXPECT_FALSE(IsNamespaceName(longest + "a"));
  for (const char* bad : {"Shop", "-a", "a-", "a.b", "a_b", "*", "a b"}) {
    EXPECT_FALSE(IsNamespaceName(bad)) << bad;
    const Result<NamespaceScope> scope = NamespaceScope::Parse("ok," + std::string(bad));
    ASSERT_FALSE(scope) << bad;
    EXPECT_EQ(scope.error().code, Code::kInvalidArgument);
    EXPECT_THAT(scope.error().message, HasSubstr("\"" + std::string(bad) + "\""));
  }
  for (const char* bad : {"a,,b", ",", "a,"}) {
    EXPECT_FALSE(NamespaceScope::Parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace escagent::kube
