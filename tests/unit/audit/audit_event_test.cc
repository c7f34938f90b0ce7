#include "agent/audit/audit_event.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace escagent::audit {
namespace {

constexpr std::chrono::system_clock::time_point kTime{std::chrono::milliseconds(1764403200042)};

AuditEvent MakeOpen() {
  AuditEvent event;
  event.time = kTime;
  event.volume_id = "csi-1";
  event.pod = {.name = "web-1", .namespace_name = "shop", .uid = "uid-1", .service_account = "web"};
  event.store = "SecretStore shop/app";
  event.environment = "acme/shop/prod";
  event.revision = "7";
  event.key = "db.password";
  event.file = "db/password";
  event.caller = Caller{.uid = 1000, .gid = 2000, .pid = 33};
  return event;
}

TEST(AuditEventTest, AnOpenSaysWhoAndWhat) {
  const std::string line = ToJsonLine(MakeOpen(), "node-1");
  EXPECT_EQ(line,
            "{\"allowed\":true,\"environment\":\"acme/shop/prod\",\"event\":\"open\","
            "\"file\":\"db/password\",\"gid\":2000,\"key\":\"db.password\",\"namespace\":\"shop\","
            "\"node\":\"node-1\",\"pid\":33,\"pod\":\"web-1\",\"podUid\":\"uid-1\","
            "\"revision\":\"7\",\"serviceAccount\":\"web\",\"store\":\"SecretStore shop/app\","
            "\"time\":\"2025-11-29T08:00:00.042Z\",\"uid\":1000,\"volume\":\"csi-1\"}\n");
}

TEST(AuditEventTest, ADenialSaysWhyAndLeavesOutWhatIsUnknown) {
  AuditEvent event;
  event.kind = AuditEvent::Kind::kMount;
  event.time = kTime;
  event.allowed = false;
  event.reason = "no\nline break";
  const std::string line = ToJsonLine(event, "");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = ParseJson(line, "line");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->size(), 4u);
  EXPECT_EQ((*json)["event"].get<std::string>(), "mount");
  EXPECT_EQ((*json)["reason"].get<std::string>(), "no\nline break");
  EXPECT_FALSE((*json)["allowed"].get<bool>());
}

TEST(AuditEventTest, LostEventsAreCounted) {
  const std::string line =
      ToJsonLine({.kind = AuditEvent::Kind::kLost, .time = kTime, .count = 12}, "n");
  EXPECT_EQ(line,
            "{\"count\":12,\"event\":\"lost\",\"node\":\"n\",\"time\":\"2025-11-29T08:00:00.042Z\"}"
            "\n");
}

}  // namespace
}  // namespace escagent::audit
