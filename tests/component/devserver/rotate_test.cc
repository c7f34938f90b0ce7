#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/component/devserver/server_fixture.h"

// Rotation over HTTP, with the rotator that needs no service.

namespace escagent::devserver {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kDefinition =
    "values:\n"
    "  db:\n"
    "    # made by a rotator\n"
    "    password:\n"
    "      fn::rotate::password:\n"
    "        inputs: {length: 20} # long\n"
    "  # the other one\n"
    "  key: {fn::rotate: {provider: password, inputs: {special: false}}}\n"
    "  url: db:${db.password}\n";

class RotateTest : public ServerFixture {
 protected:
  void SetUp() override {
    folder_.Write("acme/web/dev", kDefinition);
    Start();
  }

  httplib::Result Rotate(const json& body = nullptr) {
    return client_->Post(std::string(kEnvironment) + "/rotate", body.is_null() ? "" : body.dump(),
                         "application/json");
  }
  json History() { return Json(client_->Get(std::string(kEnvironment) + "/rotate/history")); }
  std::string Decrypted(const std::string& version = "") {
    return client_->Get(kEnvironment + version + "/decrypt")->body;
  }
  std::string Value(const std::string& path) {
    const json value =
        Json(client_->Get(std::string(kEnvironment) + "/open/" + Open() + "?property=" + path));
    return value.value("secret", false) ? value["value"].get<std::string>() : value.dump();
  }
};

TEST_F(RotateTest, MakesARevisionWithTheNewStates) {
  EXPECT_EQ(client_->Post(std::string(kEnvironment) + "/open")->status, 400);
  const auto result = Rotate();
  ASSERT_EQ(result->status, 200) << result->body;
  const json event = Json(result)["secretRotationEvent"];
  EXPECT_EQ(event["status"], "succeeded");
  EXPECT_EQ(event["preRotationRevision"], 1);
  EXPECT_EQ(event["postRotationRevision"], 2);
  EXPECT_EQ(event["created"], "2026-01-01T00:00:00Z");
  ASSERT_EQ(event["rotations"].size(), 2u);
  EXPECT_EQ(event["rotations"][0]["environmentPath"], "values.db.password");
  EXPECT_EQ(event["rotations"][0]["status"], "succeeded");

  const std::string first = Value("db.password");
  EXPECT_EQ(first.size(), 20u);
  EXPECT_EQ(Value("url"), "db:" + first);
  EXPECT_EQ(Value("key").size(), 16u);
  const std::string served = client_->Get(kEnvironment)->body;
  EXPECT_THAT(served, Not(HasSubstr(first)));
  EXPECT_THAT(served, HasSubstr("    # made by a rotator\n"));
  EXPECT_THAT(served, HasSubstr("        inputs: {length: 20} # long\n        state:\n"
                                "          current:\n            fn::secret:\n"
                                "              ciphertext: "));
  EXPECT_THAT(served, HasSubstr("  # the other one\n  key: {fn::rotate: {state: {current: {fn::"));

  // The one before stays valid.
  ASSERT_EQ(Rotate()->status, 200);
  const std::string second = Value("db.password");
  EXPECT_NE(second, first);
  EXPECT_EQ(client_->Head(kEnvironment)->get_header_value("Pulumi-ESC-Revision"), "3");
  EXPECT_EQ(Decrypted("/versions/1"), kDefinition);
  const json history = History()["events"];
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0]["postRotationRevision"], 3);
  EXPECT_EQ(history[1], event);
  EXPECT_THAT(history.dump(), Not(HasSubstr(first)));
  // A restart forgets nothing.
  server_.reset();
  Start();
  EXPECT_EQ(History()["events"], history);
  EXPECT_EQ(Value("db.password"), second);
}

TEST_F(RotateTest, OnlyThePathsThatAreNamed) {
  ASSERT_EQ(Rotate()->status, 200);
  const std::string password = Value("db.password");
  const std::string key = Value("key");
  for (const char* member : {"Paths", "paths"}) {
    const json event = Json(Rotate({{member, {"db.password"}}}))["secretRotationEvent"];
    ASSERT_EQ(event["rotations"].size(), 1u);
    EXPECT_EQ(event["rotations"][0]["environmentPath"], "values.db.password");
  }
  EXPECT_NE(Value("db.password"), password);
  EXPECT_EQ(Value("key"), key);
  // None means all.
  EXPECT_EQ(Json(Rotate({{"Paths", nullptr}}))["secretRotationEvent"]["rotations"].size(), 2u);
}

TEST_F(RotateTest, RefusesWhatItCannotRotate) {
  for (const json& body : {json{{"Paths", {"db"}}}, json{{"Paths", {"url"}}},
                           json{{"Paths", {"db.password", "nothing"}}}, json{{"Paths", {"a["}}},
                           json{{"Paths", "key"}}, json::array()}) {
    const auto result = Rotate(body);
    EXPECT_EQ(result->status, 400) << body;
    EXPECT_EQ(Json(result)["code"], 400);
  }
  EXPECT_EQ(client_->Post("/api/esc/environments/acme/web/none/rotate")->status, 404);
  folder_.Write("acme/web/dev", std::string(kDefinition) + "  bad: ${missing}\n");
  const auto broken = Rotate();
  EXPECT_EQ(broken->status, 400);
  EXPECT_EQ(Json(broken)["diagnostics"][0]["summary"], "unknown property \"missing\"");
  EXPECT_EQ(History()["events"], json::array());
  EXPECT_EQ(Decrypted(), std::string(kDefinition) + "  bad: ${missing}\n");
}

TEST_F(RotateTest, KeepsWhatWasRotatedWhenSomethingElseFails) {
  folder_.Write("acme/web/dev",
                "values:\n"
                "  bad: {fn::rotate::password: {inputs: {length: 5, minLower: 9}}}\n"
                "  good: {fn::rotate::password: {inputs: {}}}\n");
  const auto result = Rotate();
  ASSERT_EQ(result->status, 200) << result->body;
  const json event = Json(result)["secretRotationEvent"];
  EXPECT_EQ(event["status"], "failed");
  EXPECT_EQ(event["postRotationRevision"],
            client_->Head(kEnvironment)->get_header_value("Pulumi-ESC-Revision").back() - '0');
  ASSERT_EQ(event["rotations"].size(), 2u);
  EXPECT_EQ(event["rotations"][0]["status"], "failed");
  EXPECT_THAT(event["rotations"][0]["errorMessage"].get<std::string>(), HasSubstr("its length"));
  EXPECT_EQ(event["rotations"][1]["status"], "succeeded");
  EXPECT_FALSE(event["rotations"][1].contains("errorMessage"));
  EXPECT_THAT(Decrypted(), HasSubstr("good: {fn::rotate::password: {state: {current: "));
  EXPECT_THAT(Decrypted(), HasSubstr("bad: {fn::rotate::password: {inputs: {length: 5, "));
  // Where nothing could be rotated there is no revision, but an event.
  folder_.Write("acme/web/dev", "values:\n  bad: {fn::rotate::password: {inputs: {length: 0}}}\n");
  const json none = Json(Rotate())["secretRotationEvent"];
  EXPECT_EQ(none["status"], "failed");
  EXPECT_FALSE(none.contains("postRotationRevision"));
  EXPECT_EQ(History()["events"][0], none);
}

TEST_F(RotateTest, AnEnvironmentWithoutRotatorsStaysAsItIs) {
  folder_.Write("acme/web/dev", "values: {a: b}\n");
  const json event = Json(Rotate())["secretRotationEvent"];
  EXPECT_EQ(event["status"], "succeeded");
  EXPECT_EQ(event["rotations"], json::array());
  EXPECT_FALSE(event.contains("postRotationRevision"));
  EXPECT_EQ(Decrypted(), "values: {a: b}\n");
}

// Of two that rotate the same credentials at once one is told that it lost; each new state that was
// reported as written is in a revision.
TEST_F(RotateTest, TwoAtOnceDoNotOverwriteEachOther) {
  constexpr int kThreads = 4;
  std::atomic<int> written = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        const auto client = MakeClient();
        const auto result = client->Post(std::string(kEnvironment) + "/rotate",
                                         R"({"Paths":["db.password"]})", "application/json");
        ASSERT_EQ(result->status, 200) << result->body;
        const json event = Json(result)["secretRotationEvent"];
        if (event["rotations"][0]["status"].get<std::string>() == "succeeded") {
          ++written;
        } else {
          EXPECT_THAT(event["rotations"][0]["errorMessage"].get<std::string>(),
                      HasSubstr("changed there meanwhile"));
        }
      });
    }
  }
  EXPECT_GE(written, 1);
  EXPECT_EQ(client_->Head(kEnvironment)->get_header_value("Pulumi-ESC-Revision"),
            std::to_string(1 + written));
  EXPECT_EQ(History()["events"].size(), static_cast<std::size_t>(kThreads));
}

}  // namespace
}  // namespace escagent::devserver
