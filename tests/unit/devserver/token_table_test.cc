#include "esc/devserver/token_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/fakes/fake_clock.h"
#include "tests/unit/devserver/definition_folder.h"

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;

class TokenTableTest : public ::testing::Test {
 protected:
  Secret Issue(const std::string& login, std::chrono::seconds lifetime = 100s) {
    Identity identity;
    identity.login = login;
    auto token = table_.Issue(identity, lifetime);
    EXPECT_TRUE(token);
    return token ? *std::move(token) : Secret();
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
  EXPECT_EQ(*table_.Revoke("nobody", ""), 0u);
  EXPECT_EQ(*table_.Revoke("web", ""), 1u);
  EXPECT_FALSE(table_.Find(web.Reveal()));
  ASSERT_TRUE(table_.Find(api.Reveal()));
  const auto list = table_.ToJson();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]["login"], "api");
  EXPECT_EQ(list[0]["expiresIn"], 100);
  EXPECT_FALSE(list.dump().contains(std::string(api.Reveal().substr(4))));
  EXPECT_EQ(*table_.Revoke("", list[0]["id"].get<std::string>()), 1u);
  EXPECT_EQ(table_.ToJson().size(), 1u);
  EXPECT_EQ(*table_.Revoke("", ""), 1u);
  EXPECT_FALSE(table_.Find(api.Reveal()) || table_.Find(other.Reveal()));
}

TEST_F(TokenTableTest, TokensOutliveTheServer) {
  const DefinitionFolder folder;
  const std::string file = folder.path() + "/tokens.json";
  Identity identity;
  identity.login = "web";
  identity.organization = "acme";
  identity.environments = {"shop/*"};
  identity.permission = Permission::kRead;
  Secret token;
  {
    TokenTable table(clock_, file);
    token = *table.Issue(identity, 100s);
  }
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  EXPECT_FALSE(text.str().contains(std::string(token.Reveal().substr(4))));
  TokenTable next(clock_, file);
  TokenTable other(clock_, file);
  const auto found = next.Find(token.Reveal());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->login, "web");
  EXPECT_EQ(found->organization, "acme");
  EXPECT_EQ(found->environments, identity.environments);
  EXPECT_EQ(found->permission, Permission::kRead);
  clock_.Advance(100s);
  EXPECT_FALSE(next.Find(token.Reveal()));
  // One that is revoked stays so, whichever server was told.
  const Secret second = *other.Issue(identity, 100s);
  ASSERT_TRUE(next.Find(second.Reveal()));
  EXPECT_EQ(*other.Revoke("web", ""), 1u);
  EXPECT_FALSE(next.Find(second.Reveal()));
  EXPECT_FALSE(TokenTable(clock_, file).Find(second.Reveal()));
}

// A token of which the file tells less would be good for more.
TEST_F(TokenTableTest, TokensThatAreNotWholeAreNone) {
  const DefinitionFolder folder;
  const std::string file = folder.path() + "/tokens.json";
  const Secret token = *TokenTable(clock_, file).Issue({}, 100s);
  std::ostringstream read;
  read << std::ifstream(file).rdbuf();
  nlohmann::json document = nlohmann::json::parse(read.str());
  const nlohmann::json entry = document["content"].begin().value();
  const std::string digest = document["content"].begin().key();
  for (auto member = entry.begin(); member != entry.end(); ++member) {
    for (const bool with_another_kind : {false, true}) {
      document["content"][digest] = entry;
      if (with_another_kind) {
        document["content"][digest][member.key()] = nullptr;
      } else {
        document["content"][digest].erase(member.key());
      }
      std::ofstream(file, std::ios::trunc) << document;
      EXPECT_FALSE(TokenTable(clock_, file).Find(token.Reveal())) << member.key();
    }
  }
}

}  // namespace
}  // namespace escagent::devserver
