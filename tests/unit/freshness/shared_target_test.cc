#include "agent/freshness/shared_target.h"

#include <gtest/gtest.h>

#include <set>

namespace escagent::freshness {
namespace {

SharedTarget Target(const std::string& name, std::string store = "SecretStore default/app") {
  return {.backend = "https://esc.test/api/esc",
          .ref = *esc::EnvironmentRef::Parse(name),
          .store = std::move(store)};
}

TEST(SharedTarget, IdsTellTargetsApart) {
  std::set<std::string> ids;
  for (const SharedTarget& target :
       {Target("acme/web/dev"), Target("acme/web/dev@1"), Target("acme/web/prod"),
        Target("acme/web/dev", "ClusterSecretStore app")}) {
    EXPECT_EQ(target.Id().size(), 16U);
    ids.insert(target.Id());
  }
  EXPECT_EQ(ids.size(), 4U);
  EXPECT_EQ(Target("acme/web/dev").Id(), Target("acme/web/dev").Id());
}

TEST(SharedTarget, VersionsAndStoresOfAnEnvironmentAreOneShard) {
  EXPECT_EQ(Target("acme/web/dev").ShardOf(4), Target("acme/web/dev@1").ShardOf(4));
  EXPECT_EQ(Target("acme/web/dev").ShardOf(4),
            Target("acme/web/dev", "ClusterSecretStore app").ShardOf(4));
  std::set<int> shards;
  for (int i = 0; i < 50; ++i) {
    shards.insert(Target("acme/web/env" + std::to_string(i)).ShardOf(4));
  }
  EXPECT_EQ(shards, (std::set<int>{0, 1, 2, 3}));
}

TEST(SharedTarget, TextsAreReadBack) {
  const Registration registration{.target = Target("acme/web/dev@stable"),
                                  .seen = Clock::WallTime(std::chrono::seconds(1767225600))};
  const auto read = ParseRegistration(ToText(registration));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->target, registration.target);
  EXPECT_EQ(read->seen, registration.seen);
  for (const SharedAnswer::State state :
       {SharedAnswer::State::kOk, SharedAnswer::State::kAbsent, SharedAnswer::State::kDenied,
        SharedAnswer::State::kFailing}) {
    SharedAnswer answer{.state = state, .head = {}};
    if (state == SharedAnswer::State::kOk) answer.head = {.etag = "\"e\"", .revision = "7"};
    EXPECT_EQ(ParseAnswer(ToText(answer)), answer);
  }
}

TEST(SharedTarget, BadTexts) {
  for (const char* text :
       {"", "[]", "{}", R"({"state":"ok"})", R"({"state":"fine","revision":"1"})", R"({"state":1})",
        "\xff", R"({"state":"ok","revision":1})"}) {
    EXPECT_FALSE(ParseAnswer(text)) << text;
  }
  EXPECT_FALSE(ParseAnswer(R"({"state":"ok","etag":")" + std::string(300, 'x') + R"("})"));
  for (const char* text :
       {"", "{}", R"({"ref":"acme/web/dev","seen":1,"store":"s"})",
        R"({"backend":"b","ref":"acme","seen":1,"store":"s"})",
        R"({"backend":"b","ref":"acme/web/dev","seen":"1","store":"s"})",
        R"({"backend":"b","ref":"acme/web/dev","seen":9223372036854775807,"store":"s"})"}) {
    EXPECT_FALSE(ParseRegistration(text)) << text;
  }
}

}  // namespace
}  // namespace escagent::freshness
