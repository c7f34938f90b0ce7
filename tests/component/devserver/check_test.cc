#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/strings.h"
#include "tests/component/devserver/server_fixture.h"

// What is known of definitions without opening anything, and what providers bring when they are
// opened.

namespace escagent::devserver {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kCheckYaml = "/api/esc/environments/acme/yaml/check";

class CheckTest : public ServerFixture {
 protected:
  httplib::Result CheckText(const std::string& text, const std::string& query = "") {
    return client_->Post(kCheckYaml + query, text, "application/x-yaml");
  }
  httplib::Result Check(const std::string& rest) {
    return client_->Post(std::string(kEnvironment) + rest);
  }
  // Opens a text and gives the properties.
  json OpenText(const std::string& text, const std::string& query = "") {
    const std::string path = "/api/esc/environments/acme/yaml/open";
    const json opened = Json(client_->Post(path + query, text, "application/x-yaml"));
    if (!opened.contains("id")) return opened;
    return Json(client_->Get(path + "/" + opened["id"].get<std::string>()))["properties"];
  }
};

TEST_F(CheckTest, GivesTheWholeEnvironment) {
  Start();
  const auto result = CheckText("values:\n  a: {fn::toJSON: [1]}\n  b: ${a}\nwhat: 1\n");
  ASSERT_EQ(result->status, 200) << result->body;
  const json environment = Json(result);
  EXPECT_EQ(environment["properties"]["b"]["value"], "[1]");
  const json& a = environment["exprs"]["a"];
  EXPECT_EQ(a["builtin"]["name"], "fn::toJSON");
  EXPECT_EQ(a["range"]["environment"], "<yaml>");
  EXPECT_EQ(a["range"]["begin"]["line"], 2);
  EXPECT_EQ(environment["exprs"]["b"]["symbol"][0]["key"], "a");
  EXPECT_EQ(environment["schema"]["properties"]["b"]["type"], "string");
  EXPECT_EQ(environment["executionContext"]["properties"]["pulumi"]["value"]["user"]["value"]
                       ["login"]["value"],
            "developer");
  ASSERT_EQ(environment["diagnostics"].size(), 1u);
  EXPECT_EQ(environment["diagnostics"][0]["severity"], "warning");
}

TEST_F(CheckTest, OpensNothing) {
  Start();
  const std::string text = "values: {a: {fn::open::test: {k: v}}, b: 'x${a.k}'}";
  const json checked = Json(CheckText(text))["properties"];
  EXPECT_EQ(checked["a"]["unknown"], true);
  EXPECT_EQ(checked["b"]["unknown"], true);
  EXPECT_EQ(OpenText(text)["b"]["value"], "xv");
}

TEST_F(CheckTest, SecretsAreUnknownUnlessTheyAreAskedFor) {
  folder_.Write("acme/web/importer", "imports: [web/dev]\nvalues: {t: '${s}!'}");
  Start();
  const std::string served = client_->Get(kEnvironment)->body;
  ASSERT_THAT(served, HasSubstr("ciphertext"));
  for (const auto& [hidden, shown] :
       {std::pair{CheckText(served), CheckText(served, "?showSecrets=true")},
        {Check("/check"), Check("/check?showSecrets=true")},
        {Check("/versions/1/check?showSecrets=false"), Check("/versions/1/check?showSecrets=true")},
        {client_->Post("/api/esc/environments/acme/web/importer/check"),
         client_->Post("/api/esc/environments/acme/web/importer/check?showSecrets=true")}}) {
    ASSERT_EQ(hidden->status, 200) << hidden->body;
    const json secret = Json(hidden)["properties"]["s"];
    EXPECT_EQ(secret["secret"], true);
    EXPECT_EQ(secret["unknown"], true);
    EXPECT_TRUE(secret["value"].is_null());
    EXPECT_THAT(hidden->body, Not(HasSubstr("two")));
    EXPECT_EQ(Json(hidden)["properties"]["v"]["value"], "one");
    ASSERT_EQ(shown->status, 200) << shown->body;
    EXPECT_EQ(Json(shown)["properties"]["s"]["value"], "two");
    EXPECT_EQ(Json(shown)["properties"]["s"]["secret"], true);
  }
}

// Clients show them in the text that they have got.
TEST_F(CheckTest, PositionsAreThoseOfTheServedText) {
  folder_.Write("acme/web/dev", "values:\n  s:\n    fn::secret: two\n  after: x\n");
  Start();
  const std::string served = client_->Get(kEnvironment)->body;
  const json hidden = Json(Check("/check"))["exprs"]["after"]["range"]["begin"];
  EXPECT_EQ(served.substr(hidden["byte"].get<std::size_t>(), 1), "x");
  const std::string plain = client_->Get(std::string(kEnvironment) + "/decrypt")->body;
  const json shown = Json(Check("/check?showSecrets=true"))["exprs"]["after"]["range"]["begin"];
  EXPECT_EQ(plain.substr(shown["byte"].get<std::size_t>(), 1), "x");
  EXPECT_NE(hidden["line"], shown["line"]);
}

// Only a check tells what values override: an open would grow with each import.
TEST_F(CheckTest, TellsWhatValuesOverride) {
  folder_.Write("acme/web/top", "imports: [web/dev]\nvalues: {v: top}");
  Start();
  const std::string top = "/api/esc/environments/acme/web/top";
  const json checked = Json(client_->Post(top + "/check"))["properties"]["v"]["trace"];
  EXPECT_EQ(checked["def"]["environment"], "web/top");
  EXPECT_EQ(checked["base"]["trace"]["def"]["environment"], "web/dev");
  const std::string id = Json(client_->Post(top + "/open"))["id"].get<std::string>();
  const json opened = Json(client_->Get(top + "/open/" + id));
  EXPECT_EQ(opened["properties"]["v"]["trace"]["def"]["environment"], "web/top");
  EXPECT_FALSE(opened["properties"]["v"]["trace"].contains("base"));
  EXPECT_EQ(opened["exprs"]["v"]["literal"], "top");
  EXPECT_EQ(Json(client_->Get(top + "/open/" + id + "?property=v"))["value"], "top");
}

TEST_F(CheckTest, TellsWhatIsWrong) {
  folder_.Write("acme/web/broken", "values: {v: '${missing}'}");
  Start();
  for (const auto& result :
       {CheckText("values: {v: '${missing}'}"),
        client_->Post("/api/esc/environments/acme/web/broken/check"),
        client_->Post("/api/esc/environments/acme/web/broken/versions/1/check")}) {
    EXPECT_EQ(result->status, 400);
    EXPECT_EQ(Json(result)["code"], 400);
    EXPECT_EQ(Json(result)["diagnostics"][0]["summary"], "unknown property \"missing\"");
  }
  const json foreign =
      Json(CheckText("values: {s: {fn::secret: {ciphertext: ZXNjeAAAAAE=}}}", "?showSecrets=true"));
  EXPECT_EQ(foreign["diagnostics"].size(), 1u) << foreign;
  EXPECT_EQ(Check("/versions/7/check")->status, 404);
  EXPECT_EQ(client_->Post("/api/esc/environments/acme/web/none/check")->status, 404);
}

TEST_F(CheckTest, ProvidersRunWhereTheyAreAllowed) {
  const DefinitionFolder files;
  std::ofstream(files.path() + "/password") << "hunter2";
  folder_.Write("acme/web/dev", "values: {p: {fn::open::file: {path: password}}}");
  Server::Options options;
  options.providers.files = files.path();
  StartWith(std::move(options));
  EXPECT_EQ(Json(Check("/check"))["properties"]["p"]["unknown"], true);
  const json opened = Json(client_->Get(std::string(kEnvironment) + "/open/" + Open()));
  EXPECT_EQ(opened["properties"]["p"]["value"], "hunter2");
  EXPECT_EQ(opened["properties"]["p"]["secret"], true);
  const json refused = OpenText("values: {p: {fn::open::exec: {command: [id]}}}");
  EXPECT_EQ(refused["diagnostics"][0]["summary"], "unknown provider \"exec\"");
}

TEST_F(CheckTest, ImportsCanBeReplaced) {
  folder_.Write("acme/web/other", "values: {v: other}");
  folder_.Write("acme/web/middle", "imports: [web/dev]");
  Start();
  const std::string text = "imports: [web/middle]";
  EXPECT_EQ(OpenText(text)["v"]["value"], "one");
  const auto with = [&](const std::string& overrides) {
    SecretBuilder base64;
    EncodeBase64(overrides, base64);
    std::string query = "?environmentOverrides=" + std::string(base64.Reveal());
    while (query.ends_with('=')) query.pop_back();
    return OpenText(text, query);
  };
  EXPECT_EQ(with(R"({"web/dev":"web/other"})")["v"]["value"], "other");
  EXPECT_EQ(with(R"({"web/other":"web/dev"})")["v"]["value"], "one");
  EXPECT_THAT(with(R"({"web/dev":"web/none"})")["diagnostics"][0]["summary"].get<std::string>(),
              HasSubstr("not found"));
  EXPECT_EQ(with(R"({"web/dev":1})")["code"], 400);
  EXPECT_EQ(with("[]")["code"], 400);
  EXPECT_EQ(OpenText(text, "?environmentOverrides=%2B")["code"], 400);
}

}  // namespace
}  // namespace escagent::devserver
