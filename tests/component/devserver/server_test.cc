#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/component/devserver/server_fixture.h"

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class ServerTest : public ServerFixture {};

TEST_F(ServerTest, HeadTellsEtagAndRevision) {
  Start();
  const auto first = client_->Head(kEnvironment);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->body, "");
  EXPECT_EQ(first->get_header_value("Pulumi-ESC-Revision"), "1");
  const std::string etag = first->get_header_value("ETag");
  EXPECT_TRUE(etag.starts_with("\""));

  folder_.Write("acme/web/dev", "values: {v: three}");
  const auto second = client_->Head(kEnvironment);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->get_header_value("Pulumi-ESC-Revision"), "2");
  EXPECT_NE(second->get_header_value("ETag"), etag);
  EXPECT_EQ(client_->Head("/api/esc/environments/acme/web/none")->status, 404);
}

TEST_F(ServerTest, OpensAndReadsInTheShapeThatTheGoSdkInsistsOn) {
  Start();
  const std::string id = Open("?duration=2h0m0s");
  ASSERT_NE(id, "");
  const auto result = client_->Get(std::string(kEnvironment) + "/open/" + id);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->get_header_value("Content-Type"), "application/json");
  const json environment = Json(result);
  const json& v = environment["properties"]["v"];
  EXPECT_EQ(v["value"], "one");
  EXPECT_EQ(v["trace"]["def"], json::parse(R"({"environment": "web/dev",
      "begin": {"line": 2, "column": 6, "byte": 13}, "end": {"line": 2, "column": 9, "byte": 16}})"));
  EXPECT_FALSE(v.contains("secret"));
  const json& s = environment["properties"]["s"];
  EXPECT_EQ(s["value"], "two");
  EXPECT_EQ(s["secret"], true);
  EXPECT_TRUE(s.contains("trace"));
  for (const char* member : {"exprs", "schema", "executionContext"}) {
    EXPECT_TRUE(environment.contains(member)) << member;
  }
}

TEST_F(ServerTest, ReadsPropertiesAlsoByTheSdksDoubleSlash) {
  folder_.Write("acme/web/dev", "values: {a: {\"b.c\": [x, null, 1.10]}}");
  Start();
  const std::string id = Open();
  for (const char* slash : {"/open/", "/open//"}) {
    const auto result =
        client_->Get(std::string(kEnvironment) + slash + id + "?property=a%5B%22b.c%22%5D%5B2%5D");
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 200) << result->body;
    // Text, as a JSON library would lose the zero.
    EXPECT_TRUE(result->body.contains("\"value\":1.10")) << result->body;
  }
  const json null = Json(client_->Get(std::string(kEnvironment) + "/open/" + id +
                                      "?property=a%5B%22b.c%22%5D%5B1%5D"));
  EXPECT_TRUE(null.contains("value"));
  EXPECT_TRUE(null["value"].is_null());
  EXPECT_TRUE(null.contains("trace"));

  const auto missing = client_->Get(std::string(kEnvironment) + "/open/" + id + "?property=zz");
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(Json(missing)["code"], 404);
  EXPECT_EQ(client_->Get(std::string(kEnvironment) + "/open/" + id + "?property=a%5B")->status,
            400);
}

TEST_F(ServerTest, SessionsAreSnapshotsThatExpire) {
  Start();
  const std::string id = Open("?duration=90s");
  folder_.Write("acme/web/dev", "values: {v: changed}");
  const std::string path = std::string(kEnvironment) + "/open/" + id;
  EXPECT_EQ(Json(client_->Get(path))["properties"]["v"]["value"], "one");
  clock_.Advance(89s);
  EXPECT_EQ(Json(client_->Get(path))["properties"]["v"]["value"], "one");
  clock_.Advance(1s);
  const auto expired = client_->Get(path);
  EXPECT_EQ(expired->status, 404);
  EXPECT_EQ(Json(expired)["code"], 404);
  EXPECT_EQ(client_->Post(std::string(kEnvironment) + "/open?duration=never")->status, 400);
  EXPECT_EQ(client_->Post(std::string(kEnvironment) + "/open?duration=0s")->status, 400);
}

TEST_F(ServerTest, OpensEarlierRevisions) {
  Start();
  ASSERT_EQ(client_->Head(kEnvironment)->status, 200);
  folder_.Write("acme/web/dev", "values: {v: changed}");
  ASSERT_EQ(client_->Head(kEnvironment)->status, 200);
  for (const auto& [version, value] :
       {std::pair{"1", "one"}, {"2", "changed"}, {"latest", "changed"}}) {
    const auto opened = client_->Post(std::string(kEnvironment) + "/versions/" + version + "/open");
    ASSERT_EQ(opened->status, 200) << version;
    // Sessions of a version are read without it.
    const std::string id = Json(opened)["id"].get<std::string>();
    EXPECT_EQ(
        Json(client_->Get(std::string(kEnvironment) + "/open/" + id))["properties"]["v"]["value"],
        value);
  }
  EXPECT_EQ(client_->Post(std::string(kEnvironment) + "/versions/3/open")->status, 404);
  const auto first = client_->Get(std::string(kEnvironment) + "/versions/1");
  EXPECT_TRUE(first->body.contains("v: one"));
  EXPECT_EQ(first->get_header_value("Pulumi-ESC-Revision"), "1");
  const json revisions = Json(client_->Get(std::string(kEnvironment) + "/versions?count=1"));
  ASSERT_EQ(revisions.size(), 1u);
  EXPECT_EQ(revisions[0]["number"], 2);
  EXPECT_EQ(Json(client_->Get(std::string(kEnvironment) + "/versions?before=1")), json::array());
  EXPECT_EQ(Json(client_->Get(std::string(kEnvironment) + "/versions/tags/latest"))["revision"], 2);
  EXPECT_EQ(client_->Get(std::string(kEnvironment) + "/versions/tags/prod")->status, 404);
}

TEST_F(ServerTest, GivesTheDefinitionAsItIs) {
  Start();
  const auto result = client_->Get(std::string(kEnvironment) + "/decrypt");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->body, "values:\n  v: one\n  s: {fn::secret: two}\n");
  EXPECT_EQ(result->get_header_value("Content-Type"), "application/x-yaml");
  EXPECT_EQ(result->get_header_value("Pulumi-ESC-Revision"), "1");
}

TEST_F(ServerTest, InvalidDefinitionsAreDiagnosed) {
  folder_.Write("acme/web/dev", "values:\n  v: ${missing}\n");
  Start();
  const auto result = client_->Post(std::string(kEnvironment) + "/open");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 400);
  const json body = Json(result);
  EXPECT_EQ(body["code"], 400);
  ASSERT_EQ(body["diagnostics"].size(), 1u);
  EXPECT_EQ(body["diagnostics"][0]["summary"], "unknown property \"missing\"");
  EXPECT_EQ(body["diagnostics"][0]["range"]["begin"]["line"], 2);
  EXPECT_EQ(body["diagnostics"][0]["range"]["environment"], "web/dev");
}

TEST_F(ServerTest, WarningsComeWithTheSession) {
  folder_.Write("acme/web/dev", "values: {v: 1}\nvaules: {}\n");
  Start();
  const json body = Json(client_->Post(std::string(kEnvironment) + "/open"));
  EXPECT_TRUE(body.contains("id"));
  ASSERT_EQ(body["diagnostics"].size(), 1u);
  EXPECT_EQ(body["diagnostics"][0]["severity"], "warning");
}

TEST_F(ServerTest, ImportsComeFromTheSameOrganization) {
  folder_.Write("acme/shared/base", "values: {x: base, o: {k: 1}}");
  folder_.Write("acme/default/plain", "values: {y: plain}");
  folder_.Write("acme/web/dev", "imports: [shared/base, plain]\nvalues: {o: {l: 2}}");
  Start();
  const json environment = Json(client_->Get(std::string(kEnvironment) + "/open/" + Open()));
  EXPECT_EQ(environment["properties"]["x"]["value"], "base");
  EXPECT_EQ(environment["properties"]["x"]["trace"]["def"]["environment"], "shared/base");
  EXPECT_EQ(environment["properties"]["y"]["value"], "plain");
  EXPECT_EQ(environment["properties"]["o"]["value"]["k"]["value"], 1);
}

TEST_F(ServerTest, ImportsMayNameARevision) {
  folder_.Write("acme/shared/base", "values: {x: old}");
  Start();
  ASSERT_EQ(client_->Head("/api/esc/environments/acme/shared/base")->status, 200);
  folder_.Write("acme/shared/base", "values: {x: new}");
  folder_.Write("acme/web/dev", "imports: [shared/base@1]");
  ASSERT_EQ(client_->Head("/api/esc/environments/acme/shared/base")->status, 200);
  EXPECT_EQ(
      Json(client_->Get(std::string(kEnvironment) + "/open/" + Open()))["properties"]["x"]["value"],
      "old");
}

TEST_F(ServerTest, AsksForAToken) {
  Start("right");
  const auto wrong = client_->Get(kEnvironment);
  EXPECT_EQ(wrong->status, 401);
  EXPECT_EQ(Json(wrong)["code"], 401);
  client_->set_default_headers({{"Authorization", "Bearer right"}});
  EXPECT_EQ(client_->Get(kEnvironment)->status, 401);
  client_->set_default_headers({});
  EXPECT_EQ(client_->Head(kEnvironment)->status, 401);
  client_->set_default_headers({{"Authorization", "token right"}});
  EXPECT_EQ(client_->Get(kEnvironment)->status, 200);
}

TEST_F(ServerTest, WithoutATokenOfItsOwnAnyIsGood) {
  Start();
  EXPECT_EQ(client_->Get(kEnvironment)->status, 200);
  client_->set_default_headers({{"Authorization", "token "}});
  EXPECT_EQ(client_->Get(kEnvironment)->status, 401);
}

TEST_F(ServerTest, Lists) {
  folder_.Write("globex/web/prod", "");
  Start();
  const json all = Json(client_->Get("/api/esc/environments"));
  ASSERT_EQ(all["environments"].size(), 2u);
  const json& first = all["environments"][0];
  EXPECT_EQ(first["organization"], "acme");
  EXPECT_EQ(first["project"], "web");
  EXPECT_EQ(first["name"], "dev");
  EXPECT_TRUE(first.contains("created") && first.contains("modified"));
  EXPECT_EQ(Json(client_->Get("/api/esc/environments/globex"))["environments"].size(), 1u);
  EXPECT_EQ(client_->Get("/api/esc/environments/nobody")->status, 404);
}

TEST_F(ServerTest, ChecksAndOpensTexts) {
  Start();
  const std::string yaml = "values: {v: {fn::secret: x}, w: '${v}!'}";
  for (const char* type : {"application/x-yaml", "application/json"}) {
    const auto checked = client_->Post("/api/esc/environments/acme/yaml/check", yaml, type);
    ASSERT_EQ(checked->status, 200) << checked->body;
    EXPECT_EQ(Json(checked)["properties"]["w"]["value"], "x!");
  }
  const auto faulty = client_->Post("/api/esc/environments/acme/yaml/check",
                                    "values: {v: {fn::open::aws-login: {}}}", "text/plain");
  EXPECT_EQ(faulty->status, 400);
  EXPECT_EQ(Json(faulty)["diagnostics"][0]["summary"], "unknown provider \"aws-login\"");
  const json opened =
      Json(client_->Post("/api/esc/environments/acme/yaml/open?duration=1m", yaml, "x/y"));
  const auto read =
      client_->Get("/api/esc/environments/acme/yaml/open/" + opened["id"].get<std::string>());
  EXPECT_EQ(Json(read)["properties"]["w"]["value"], "x!");
}

TEST_F(ServerTest, TellsTheUser) {
  Start();
  const json user = Json(client_->Get("/api/user"));
  EXPECT_EQ(user["githubLogin"], "developer");
  EXPECT_EQ(user["organizations"][0]["githubLogin"], "acme");
  EXPECT_EQ(Json(client_->Get("/api/user/organizations/default"))["gitHubLogin"], "acme");
}

TEST_F(ServerTest, UnknownPathsAndMethods) {
  Start();
  const auto path = client_->Get("/api/esc/nothing");
  EXPECT_EQ(path->status, 404);
  EXPECT_EQ(Json(path)["code"], 404);
  const auto method = client_->Put(kEnvironment, "", "text/plain");
  EXPECT_EQ(method->status, 405);
  EXPECT_EQ(method->get_header_value("Allow"), "HEAD, GET, PATCH, POST, DELETE");
  EXPECT_EQ(client_->Get("/api/esc/environments/acme/%2e%2e/dev")->status, 400);
}

// As `curl -X POST` does.
TEST_F(ServerTest, TakesRequestsThatAnnounceNoBody) {
  Start();
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(server_->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(socket.Get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  // Twice on one connection: the first leaves nothing behind.
  for (int i = 0; i < 2; ++i) {
    const std::string request = "POST " + std::string(kEnvironment) +
                                "/open HTTP/1.1\r\nHost: h\r\nAuthorization: token t\r\n\r\n";
    ASSERT_EQ(::send(socket.Get(), request.data(), request.size(), 0),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    std::array<char, 4096> buffer;
    while (!answer.ends_with("\"}")) {
      const ssize_t size = ::recv(socket.Get(), buffer.data(), buffer.size(), 0);
      ASSERT_GT(size, 0) << answer;
      answer.append(buffer.data(), static_cast<std::size_t>(size));
    }
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  }
}

TEST_F(ServerTest, ManyIdleConnectionsBlockNobody) {
  Start();
  std::vector<std::unique_ptr<httplib::Client>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(MakeClient());
    ASSERT_EQ(clients.back()->Head(kEnvironment)->status, 200) << i;
  }
  // All at once, on the connections that stayed open.
  std::vector<std::jthread> threads;
  std::atomic<int> good = 0;
  for (auto& client : clients) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        if (const auto result = client->Head(kEnvironment); result && result->status == 200) ++good;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(good, 200);
  const auto before = std::chrono::steady_clock::now();
  server_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
}

TEST_F(ServerTest, StartSaysWhatIsWrong) {
  Start();
  Server::Options options;
  options.definitions_dir = folder_.path();
  options.listen = "127.0.0.1:" + std::to_string(server_->port());
  auto taken = Server::Start(std::move(options));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kUnavailable);
  for (const char* listen : {"", "localhost", "127.0.0.1:x", "127.0.0.1:70000", "::1:80"}) {
    Server::Options bad;
    bad.definitions_dir = folder_.path();
    bad.listen = listen;
    auto server = Server::Start(std::move(bad));
    ASSERT_FALSE(server) << listen;
    EXPECT_EQ(server.error().code, Code::kInvalidArgument) << listen;
  }
  Server::Options nowhere;
  nowhere.definitions_dir = folder_.path() + "/nowhere";
  EXPECT_EQ(Server::Start(std::move(nowhere)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(server_->url(), "http://127.0.0.1:" + std::to_string(server_->port()));
}

}  // namespace
}  // namespace escagent::devserver
