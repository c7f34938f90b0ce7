#include "esc/devserver/token_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/fakes/fake_clock.h"

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;

class TokenTableTest : public ::testing::Test {
 protected:
  Secret Issue(const std::string& login, std::chrono::seconds lifetime = 100s) {
    Identity identity;
    identity.login = login;
    return table_.Issue(std::move(identity), lifetime);
  }

  escagent::testing::FakeClock clock_;
  TokenTable table_{clock_};
};

TEST_F(TokenTableTest, TokensAreGoodUntilTheyExpire) {
  const Secret token = Issue("web");
  EXPECT_TRUE(token.Reveal().starts_with("pul-"));
  EXPECT_EQ(token.Size(), 44u);
  EXPECT_FALSE(Issue("web").Equals(token));
  clock_.Advance(99s);
  ASSERT_TRUE(table_.Find(token.Reveal()));
  EXPECT_EQ(table_.Find(token.Reveal())->login, "web");
  EXPECT_FALSE(table_.Find("pul-0000000000000000000000000000000000000000"));
  clock_.Advance(1s);
  EXPECT_FALSE(table_.Find(token.Reveal()));
  EXPECT_EQ(table_.ToJson().size(), 0u);
}

TEST_F(TokenTableTest, RevokesByLoginOrId) {
  const Secret web = Issue("web");
  const Secret api = Issue("api");
  const Secret other = Issue("api");
  EXPECT_EQ(table_.Revoke("nobody", ""), 0u);
  EXPECT_EQ(table_.Revoke("web", ""), 1u);
  EXPECT_FALSE(table_.Find(web.Reveal()));
  ASSERT_TRUE(table_.Find(api.Reveal()));
  const auto list = table_.ToJson();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]["login"], "api");
  EXPECT_EQ(list[0]["expiresIn"], 100);
  EXPECT_FALSE(list.dump().contains(std::string(api.Reveal().substr(4))));
  EXPECT_EQ(table_.Revoke("", list[0]["id"].get<std::string>()), 1u);
  EXPECT_EQ(table_.ToJson().size(), 1u);
  EXPECT_EQ(table_.Revoke("", ""), 1u);
  EXPECT_FALSE(table_.Find(api.Reveal()) || table_.Find(other.Reveal()));
}

}  // namespace
}  // namespace escagent::devserver
