#include "tests/component/apiserver/cluster_fixture.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

class SecretsTest : public ClusterTest {};
ESC_AGENT_BOTH_CLUSTERS(SecretsTest);

TEST_P(SecretsTest, StringDataIsMergedIntoData) {
  json secret = Secret("s");
  secret["stringData"] = {{"b", "two"}};
  Answer made = Post(Core("secrets"), secret);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["data"], (json{{"a", "MQ=="}, {"b", "dHdv"}}));
  EXPECT_FALSE(made.body.contains("stringData"));
  Answer patched = Merge(Core("secrets", "s"), {{"stringData", {{"a", "one"}}}});
  EXPECT_EQ(patched.body["data"]["a"], "b25l");
}

TEST_P(SecretsTest, TheTypeIsImmutable) {
  ASSERT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  Answer answer = Merge(Core("secrets", "s"), {{"type", "example.com/other"}});
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(
      CausesOf(answer),
      std::vector<std::string>{"type: Invalid value: \"example.com/other\": field is immutable"});
  EXPECT_TRUE(
      answer.body["message"].get<std::string>().starts_with("Secret \"s\" is invalid: type:"));
}

TEST_P(SecretsTest, AnImmutableSecretKeepsItsData) {
  json secret = Secret("s");
  secret["immutable"] = true;
  ASSERT_EQ(Post(Core("secrets"), secret).status, 201);
  Answer data = Merge(Core("secrets", "s"), {{"data", {{"a", "Mg=="}}}});
  EXPECT_EQ(data.status, 422);
  EXPECT_EQ(CausesOf(data), std::vector<std::string>{
                                "data: Forbidden: field is immutable when `immutable` is set"});
  EXPECT_EQ(Merge(Core("secrets", "s"), {{"immutable", false}}).status, 422);
  EXPECT_EQ(Merge(Core("secrets", "s"), {{"metadata", {{"labels", {{"a", "b"}}}}}}).status, 200);
}

TEST_P(SecretsTest, KeysAreChecked) {
  Answer answer = Post(Core("secrets"), Secret("s", {{"not ok", "MQ=="}, {"..x", "MQ=="}}));
  EXPECT_EQ(answer.status, 422);
  const auto causes = CausesOf(answer);
  ASSERT_EQ(causes.size(), 2u) << answer.text;
  EXPECT_TRUE(causes[0].starts_with("data[..x]: Invalid value: \"..x\"")) << causes[0];
  EXPECT_TRUE(causes[1].starts_with("data[not ok]: Invalid value: \"not ok\": a valid config key"));
}

TEST_P(SecretsTest, DataIsBase64) {
  EXPECT_EQ(Post(Core("secrets"), Secret("s", {{"a", "*"}})).status, 400);
  EXPECT_EQ(Post(Core("secrets"), Secret("s", {{"a", 1}})).status, 400);
}

TEST_P(SecretsTest, ThereIsALimitOfSize) {
  json secret = Secret("s", json::object());
  secret["stringData"] = {{"a", std::string((std::size_t{1} << 20) + 1, 'x')}};
  Answer answer = Post(Core("secrets"), secret);
  EXPECT_EQ(answer.status, 422) << answer.text.substr(0, 200);
  secret["stringData"] = {{"a", std::string(std::size_t{1} << 20, 'x')}};
  EXPECT_EQ(Post(Core("secrets"), secret).status, 201);
}

TEST_P(SecretsTest, TypesWithRequiredKeys) {
  json secret = Secret("s");
  secret["type"] = "kubernetes.io/tls";
  Answer answer = Post(Core("secrets"), secret);
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(CausesOf(answer), (std::vector<std::string>{"data[tls.crt]: Required value",
                                                        "data[tls.key]: Required value"}));
}

}  // namespace
}  // namespace escagent::apiserver
