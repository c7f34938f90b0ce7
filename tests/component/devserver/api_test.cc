#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/component/devserver/server_fixture.h"

// The routes that manage environments, with a plain client; tests/system has the official ones.

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kRoot = "/api/esc/environments/acme";

class ApiTest : public ServerFixture {
 protected:
  void SetUp() override { Start(); }

  static std::string Env(const std::string& rest) { return kEnvironment + rest; }

  httplib::Result Post(const std::string& path, const json& body = json::object()) {
    return client_->Post(path, body.dump(), "application/json");
  }
  httplib::Result Patch(const std::string& path, const json& body) {
    return client_->Patch(path, body.dump(), "application/json");
  }
  json Get(const std::string& path) { return Json(client_->Get(path)); }
  void Save(const std::string& yaml) {
    ASSERT_EQ(client_->Patch(kEnvironment, yaml, "application/x-yaml")->status, 200);
  }
  std::vector<std::string> Names(const json& environments) {
    std::vector<std::string> names;
    for (const json& item : environments) names.push_back(item["name"].get<std::string>());
    return names;
  }
};

TEST_F(ApiTest, CreatesAndDeletes) {
  const auto created = Post(kRoot, {{"project", "web"}, {"name", "new"}});
  EXPECT_EQ(created->status, 204) << created->body;
  const auto read = client_->Get(std::string(kRoot) + "/web/new");
  EXPECT_EQ(read->body, "");
  EXPECT_EQ(read->get_header_value("Pulumi-ESC-Revision"), "1");
  const auto again = Post(kRoot, {{"project", "web"}, {"name", "new"}});
  EXPECT_EQ(again->status, 409);
  EXPECT_EQ(Json(again)["code"], 409);
  // Also in an organization that is not there yet; without a project as long ago.
  EXPECT_EQ(Post("/api/esc/environments/globex", {{"name", "first"}})->status, 204);
  EXPECT_EQ(client_->Head("/api/esc/environments/globex/default/first")->status, 200);
  for (const json& bad : {json({{"project", "web"}, {"name", "../x"}}), json({{"project", "web"}}),
                          json({{"name", 1}})}) {
    EXPECT_EQ(Post(kRoot, bad)->status, 400) << bad;
  }
  EXPECT_EQ(client_->Delete(std::string(kRoot) + "/web/new")->status, 204);
  EXPECT_EQ(client_->Head(std::string(kRoot) + "/web/new")->status, 404);
  EXPECT_EQ(client_->Delete(std::string(kRoot) + "/web/new")->status, 404);
}

TEST_F(ApiTest, AnswersOldSdksAsTheyExpect) {
  const httplib::Headers old = {{"User-Agent", "esc-sdk/ts/v0.12.4"}};
  EXPECT_EQ(
      client_->Post(kRoot, old, R"({"project": "web", "name": "n"})", "application/json")->status,
      200);
  EXPECT_EQ(client_->Delete(std::string(kRoot) + "/web/n", old)->status, 200);
  server_.reset();
  Server::Options options;
  options.answer_200 = true;
  StartWith(std::move(options));
  EXPECT_EQ(Post(kRoot, {{"project", "web"}, {"name", "n"}})->status, 200);
}

TEST_F(ApiTest, ProtectsFromDeletion) {
  EXPECT_EQ(Get(Env("/settings")), json({{"deletionProtected", false}}));
  EXPECT_EQ(Patch(Env("/settings"), {{"deletionProtected", true}})->status, 200);
  const auto refused = client_->Delete(kEnvironment);
  EXPECT_EQ(refused->status, 409);
  EXPECT_THAT(Json(refused)["message"].get<std::string>(), HasSubstr("protect"));
  EXPECT_EQ(Patch(Env("/settings"), {{"deletionProtected", "no"}})->status, 400);
  EXPECT_EQ(Patch(Env("/settings"), {{"deletionProtected", false}})->status, 200);
  EXPECT_EQ(client_->Delete(kEnvironment)->status, 204);
}

TEST_F(ApiTest, Clones) {
  Save("values: {v: two}");
  ASSERT_EQ(Post(Env("/versions/tags"), {{"name", "old"}, {"revision", 1}})->status, 204);
  ASSERT_EQ(Post(Env("/tags"), {{"name", "team"}, {"value", "ops"}})->status, 200);
  const std::string web = std::string(kRoot) + "/web/";
  EXPECT_EQ(Post(Env("/clone"), {{"name", "plain"}, {"version", 1}})->status, 204);
  EXPECT_THAT(client_->Get(web + "plain")->body, HasSubstr("v: one"));
  EXPECT_EQ(Get(web + "plain/versions").size(), 1u);
  EXPECT_EQ(Get(web + "plain/tags")["tags"].size(), 0u);
  EXPECT_EQ(Post(Env("/clone"), {{"project", "web"},
                                 {"name", "all"},
                                 {"preserveHistory", true},
                                 {"preserveEnvironmentTags", true},
                                 {"preserveRevisionTags", true}})
                ->status,
            204);
  EXPECT_EQ(Get(web + "all/versions").size(), 2u);
  EXPECT_EQ(Get(web + "all/versions/tags/old")["revision"], 1);
  EXPECT_EQ(Get(web + "all/tags/team")["value"], "ops");
  EXPECT_EQ(Post(Env("/clone"), {{"name", "all"}})->status, 409);
  EXPECT_EQ(Post(web + "none/clone", {{"name", "x"}})->status, 404);
}

TEST_F(ApiTest, ListsInPages) {
  for (const char* name : {"a", "b", "c"}) folder_.Write(std::string("acme/web/") + name, "");
  const json first = Get(std::string(kRoot) + "?maxResults=3");
  EXPECT_THAT(Names(first["environments"]), ElementsAre("a", "b", "c"));
  const json rest =
      Get(std::string(kRoot) + "?continuationToken=" + first["nextToken"].get<std::string>());
  EXPECT_THAT(Names(rest["environments"]), ElementsAre("dev"));
  EXPECT_FALSE(rest.contains("nextToken"));
  EXPECT_EQ(rest["environments"][0]["created"], "2026-01-01T00:00:00Z");
}

TEST_F(ApiTest, TagsRevisions) {
  Save("values: {v: two}");
  Save("values: {v: three}");
  EXPECT_EQ(Post(Env("/versions/tags"), {{"name", "stable"}, {"revision", 1}})->status, 204);
  EXPECT_EQ(Post(Env("/versions/tags"), {{"name", "stable"}})->status, 409);
  EXPECT_EQ(Post(Env("/versions/tags"), {{"name", "latest"}})->status, 409);
  EXPECT_EQ(Post(Env("/versions/tags"), {{"name", "1st"}})->status, 400);
  EXPECT_EQ(Post(Env("/versions/tags"), {{"name", "far"}, {"revision", 9}})->status, 404);
  EXPECT_THAT(client_->Get(Env("/versions/stable"))->body, HasSubstr("v: one"));
  EXPECT_EQ(client_->Post(Env("/versions/stable/open"))->status, 200);
  EXPECT_EQ(Patch(Env("/versions/tags/stable"), {{"revision", 2}})->status, 204);
  EXPECT_THAT(client_->Get(Env("/versions/stable"))->body, HasSubstr("v: two"));
  const json tags = Get(Env("/versions/tags"))["tags"];
  EXPECT_THAT(Names(tags), ElementsAre("latest", "stable"));
  EXPECT_EQ(tags[0]["revision"], 3);
  EXPECT_EQ(tags[1]["editorLogin"], "developer");
  EXPECT_EQ(Get(Env("/versions"))[1]["tags"], json::array({"stable"}));
  EXPECT_EQ(Get(Env("/versions/tags?count=1"))["nextToken"], "latest");
  EXPECT_THAT(Names(Get(Env("/versions/tags?after=latest"))["tags"]), ElementsAre("stable"));
  // An import of the tag moves with it.
  folder_.Write("acme/web/user", "imports: [web/dev@stable]");
  const auto value = [&] {
    const std::string user = std::string(kRoot) + "/web/user";
    const std::string id = Json(client_->Post(user + "/open"))["id"].get<std::string>();
    return Get(user + "/open/" + id)["properties"]["v"]["value"];
  };
  EXPECT_EQ(value(), "two");
  EXPECT_EQ(Patch(Env("/versions/tags/stable"), {{"revision", 3}})->status, 204);
  EXPECT_EQ(value(), "three");
  EXPECT_EQ(client_->Delete(Env("/versions/tags/stable"))->status, 204);
  EXPECT_EQ(client_->Delete(Env("/versions/tags/stable"))->status, 404);
  EXPECT_EQ(client_->Get(Env("/versions/stable"))->status, 404);
}

TEST_F(ApiTest, RetractsRevisions) {
  for (const char* text : {"two", "three", "four"}) Save("values: {v: " + std::string(text) + "}");
  ASSERT_EQ(Post(Env("/versions/tags"), {{"name", "stable"}, {"revision", 2}})->status, 204);
  EXPECT_EQ(Post(Env("/versions/2/retract"), {{"reason", "leaked"}})->status, 204);
  const json revision = Get(Env("/versions?before=3&count=1"))[0];
  EXPECT_EQ(revision["retracted"]["replacement"], 1);
  EXPECT_EQ(revision["retracted"]["reason"], "leaked");
  EXPECT_EQ(Get(Env("/versions/tags/stable"))["revision"], 1);
  const auto gone = client_->Get(Env("/versions/2"));
  EXPECT_EQ(gone->status, 404);
  EXPECT_THAT(gone->body, HasSubstr("was retracted; use revision 1"));
  EXPECT_EQ(client_->Post(Env("/versions/2/open"))->status, 404);
  EXPECT_EQ(Post(Env("/versions/1/retract"), {{"replacement", 2}})->status, 400);
  EXPECT_EQ(Post(Env("/versions/1/retract"), {{"replacement", 3}})->status, 204);
  EXPECT_EQ(Post(Env("/versions/latest/retract"))->status, 400);
  EXPECT_EQ(Post(Env("/versions/9/retract"))->status, 404);
}

TEST_F(ApiTest, TagsEnvironments) {
  const auto created = Post(Env("/tags"), {{"name", "team"}, {"value", "ops"}});
  EXPECT_EQ(created->status, 200);
  for (const char* member : {"name", "value", "created", "modified", "editorLogin", "editorName"}) {
    EXPECT_TRUE(Json(created).contains(member)) << member;
  }
  EXPECT_EQ(Post(Env("/tags"), {{"name", "team"}, {"value", "x"}})->status, 409);
  EXPECT_EQ(Post(Env("/tags"), {{"value", "x"}})->status, 400);
  EXPECT_EQ(Get(Env("/tags"))["tags"]["team"]["value"], "ops");
  EXPECT_EQ(Get(Env("/tags"))["nextToken"], "0");  // by which the CLI ends
  EXPECT_EQ(
      Patch(Env("/tags/team"), {{"currentTag", {{"value", "old"}}}, {"newTag", {{"value", "dev"}}}})
          ->status,
      409);
  EXPECT_EQ(
      Json(Patch(Env("/tags/team"), {{"currentTag", {{"value", "ops"}}},
                                     {"newTag", {{"name", "group"}, {"value", ""}}}}))["value"],
      "ops");
  EXPECT_EQ(client_->Get(Env("/tags/team"))->status, 404);
  EXPECT_EQ(Get(Env("/tags/group"))["value"], "ops");
  EXPECT_EQ(client_->Delete(Env("/tags/group"))->status, 204);
  EXPECT_EQ(client_->Delete(Env("/tags/group"))->status, 404);
}

TEST_F(ApiTest, TellsReferrers) {
  folder_.Write("acme/app/one", "imports: [web/dev, web/dev@1]");
  folder_.Write("acme/app/two", "imports: [{web/dev: {merge: false}}]");
  folder_.Write("acme/app/three", "values: {x: '${environments.web.dev.v}'}");
  folder_.Write("acme/app/other", "imports: [web/other]");
  const json referrers = Get(Env("/referrers"))["referrers"];
  EXPECT_EQ(referrers["latest"].size(), 3u) << referrers;
  EXPECT_EQ(referrers["1"][0]["environment"],
            json({{"project", "app"}, {"name", "one"}, {"revision", 1}}));
  EXPECT_EQ(client_->Get(std::string(kRoot) + "/web/none/referrers")->status, 404);
}

TEST_F(ApiTest, ServesThePathsBeforeProjects) {
  folder_.Write("acme/default/old", "values: {v: 1}");
  const std::string old = "/api/preview/environments/acme/old";
  EXPECT_EQ(client_->Get(old)->status, 200);
  EXPECT_EQ(client_->Post(old + "/open")->status, 200);
  EXPECT_EQ(client_->Get("/api/preview/environments/acme")->status, 200);
  EXPECT_EQ(Post("/api/preview/environments/acme/new")->status, 204);
  EXPECT_TRUE(std::filesystem::exists(folder_.FileOf("acme/default/new")));
  EXPECT_EQ(
      client_->Post("/api/preview/environments/acme/yaml/check", "values: {}", "application/x-yaml")
          ->status,
      200);
}

TEST_F(ApiTest, RefusesWhatItDoesNotHave) {
  for (const std::string& path : {Env("/drafts"), Env("/open/request"), Env("/schedules"),
                                  std::string("/api/change-requests/acme/1/submit")}) {
    const auto refused = Post(path);
    EXPECT_EQ(refused->status, 400) << path;
    EXPECT_THAT(Json(refused)["message"].get<std::string>(), HasSubstr("the offline server"));
  }
  EXPECT_EQ(Get(Env("/schedules")), json({{"schedules", json::array()}}));
  for (const auto& refused :
       {client_->Get(Env("/drafts/1")), client_->Patch(Env("/drafts/1"), "{}", "application/json"),
        client_->Post(Env("/drafts/1/open"), "{}", "application/json"),
        client_->Get(Env("/open/request/1"))}) {
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 400) << refused->body;
    EXPECT_THAT(refused->body, HasSubstr("the offline server"));
  }
}

TEST_F(ApiTest, RemembersOverARestart) {
  Save("values: {v: two}");
  ASSERT_EQ(Post(Env("/versions/tags"), {{"name", "stable"}, {"revision", 1}})->status, 204);
  server_.reset();
  Start();
  EXPECT_EQ(Get(Env("/versions")).size(), 2u);
  EXPECT_THAT(client_->Get(Env("/versions/stable"))->body, HasSubstr("v: one"));
  EXPECT_THAT(Names(Get(kRoot)["environments"]), ElementsAre("dev"));
}

TEST_F(ApiTest, ServesAFolderThatCannotKeepHistory) {
  server_.reset();
  std::filesystem::remove_all(folder_.path() + "/.esc-agent");
  std::ofstream(folder_.path() + "/.esc-agent") << "in the way";
  Start();
  Save("values: {v: two}");
  EXPECT_EQ(Get(Env("/versions")).size(), 2u);
}

}  // namespace
}  // namespace escagent::devserver
