#include "tests/fakes/fake_esc_api.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace escagent::testing {
namespace {

using Operation = FakeEscApi::Operation;
using esc::EnvironmentRef;
using std::chrono::seconds;

const EnvironmentRef kRef{"acme", "web", "dev", ""};

std::string ReadHello(FakeEscApi& api, const EnvironmentRef& ref) {
  const Result<esc::OpenSession> session = api.Open(ref, seconds(60), {});
  if (!session) return session.error().message;
  const Result<esc::Value> value = api.ReadProperty(ref, session->id, "hello", {});
  return value ? std::string(value->ScalarText()) : value.error().message;
}

TEST(FakeEscApiTest, RevisionsAndVersions) {
  FakeEscApi api;
  EXPECT_EQ(api.Open(kRef, seconds(60), {}).error().code, Code::kNotFound);
  api.SetEnvironmentJson("acme/web/dev", R"({"hello": "one"})");
  const esc::EnvironmentHead first = *api.Head(kRef, {});
  api.SetEnvironmentJson("acme/web/dev", R"({"hello": "two"})");
  const esc::EnvironmentHead second = *api.Head(kRef, {});
  EXPECT_NE(first.etag, second.etag);
  EXPECT_EQ(second.revision, "2");
  EXPECT_EQ(ReadHello(api, kRef), "two");
  EXPECT_EQ(ReadHello(api, {"acme", "web", "dev", "1"}), "one");
  EXPECT_EQ(api.Open({"acme", "web", "dev", "3"}, seconds(60), {}).error().code, Code::kNotFound);
  EXPECT_EQ(api.opens(), 4);
  EXPECT_EQ(api.heads(), 2);
  EXPECT_EQ(api.reads(), 2);
}

TEST(FakeEscApiTest, ValuesMayChangeWithoutARevision) {
  FakeEscApi api;
  api.SetEnvironmentJson("acme/web/dev", R"({"hello": "one"})");
  api.SetDefinition("acme/web/dev", "values: {}");
  const std::string etag = api.Head(kRef, {})->etag;
  esc::Value::Object members;
  members.emplace_back("hello", esc::Value::String(Secret(std::string_view("new"))));
  api.SetValuesOnly("acme/web/dev", esc::Value::MakeObject(std::move(members)));
  EXPECT_EQ(api.Head(kRef, {})->etag, etag);
  EXPECT_EQ(ReadHello(api, kRef), "new");
  EXPECT_EQ(api.GetDefinition(kRef, {})->yaml.Reveal(), "values: {}");
}

TEST(FakeEscApiTest, UpdatesOnlyWhatWasRead) {
  FakeEscApi api;
  api.SetEnvironmentJson("acme/web/dev", R"({"hello": "one"})");
  api.SetDefinition("acme/web/dev", "values: {}", "values: {a: 1}");
  const esc::Definition definition = *api.GetDefinition(kRef, {});
  EXPECT_EQ(api.GetDecryptedDefinition(kRef, {})->yaml.Reveal(), "values: {a: 1}");
  const Secret next(std::string_view("values: {b: 2}"));
  const auto update = api.UpdateDefinition(kRef, next, definition.etag, {});
  ASSERT_TRUE(update);
  EXPECT_EQ(update->revision, "2");
  EXPECT_EQ(api.UpdateDefinition(kRef, next, definition.etag, {}).error().code, Code::kAborted);
  EXPECT_EQ(api.GetDefinition(kRef, {})->yaml.Reveal(), "values: {b: 2}");
  EXPECT_EQ(api.GetDefinition(kRef, {})->etag, update->etag);
  EXPECT_EQ(ReadHello(api, kRef), "one");
  EXPECT_EQ(api.Calls(Operation::kUpdate), 2);
}

TEST(FakeEscApiTest, SessionsKeepTheirValuesUntilTheyExpire) {
  FakeEscApi api;
  api.SetEnvironmentJson("acme/web/dev", R"({"hello": "one"})");
  const esc::OpenSession session = *api.Open(kRef, seconds(77), {});
  EXPECT_EQ(api.last_duration(), seconds(77));
  api.RemoveEnvironment("acme/web/dev");
  EXPECT_EQ(api.ReadSession(kRef, session.id, {})->Find("hello")->ScalarText(), "one");
  api.ExpireSessions();
  EXPECT_EQ(api.ReadSession(kRef, session.id, {}).error().code, Code::kAborted);
}

TEST(FakeEscApiTest, FailsAsOftenAsTold) {
  FakeEscApi api;
  api.SetEnvironmentJson("acme/web/dev", "{}");
  api.Fail(Operation::kHead, Error{Code::kUnavailable, "down", seconds(3)}, 2);
  EXPECT_EQ(api.Head(kRef, {}).error().retry_after, seconds(3));
  EXPECT_FALSE(api.Head(kRef, {}));
  EXPECT_TRUE(api.Head(kRef, {}));
  api.Fail(Operation::kHead, Error{Code::kUnavailable, "down", {}});
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(api.Head(kRef, {}));
  api.StopFailing(Operation::kHead);
  EXPECT_TRUE(api.Head(kRef, {}));
  EXPECT_EQ(api.heads(), 9);
}

TEST(FakeEscApiTest, BlocksUntilReleasedOrStopped) {
  FakeEscApi api;
  api.SetEnvironmentJson("acme/web/dev", "{}");
  api.Block(Operation::kOpen);
  std::optional<Code> stopped;
  bool opened = false;
  std::jthread first([&](const std::stop_token& stop) {
    const auto session = api.Open(kRef, seconds(60), stop);
    if (!session) stopped = session.error().code;
  });
  std::jthread second([&] { opened = api.Open(kRef, seconds(60), {}).has_value(); });
  ASSERT_TRUE(api.WaitForBlocked(Operation::kOpen, 2));
  EXPECT_EQ(api.opens(), 2);
  first.request_stop();
  first.join();
  EXPECT_EQ(stopped, Code::kCancelled);
  EXPECT_EQ(api.Blocked(Operation::kOpen), 1);
  api.Release(Operation::kOpen);
  second.join();
  EXPECT_TRUE(opened);
  EXPECT_TRUE(api.WaitForCalls(Operation::kOpen, 2));
  EXPECT_FALSE(api.WaitForCalls(Operation::kOpen, 3, std::chrono::milliseconds(1)));
}

}  // namespace
}  // namespace escagent::testing
