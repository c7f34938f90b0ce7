#include "kube/watch_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace escagent::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> Texts(const std::vector<Secret>& lines) {
  std::vector<std::string> texts;
  for (const Secret& line : lines) texts.emplace_back(line.Reveal());
  return texts;
}

Result<WatchEvent> Parse(std::string_view text) {
  return ParseWatchEvent(Secret(text), "watch secrets", Secrets());
}

TEST(WatchDecoder, LinesHoweverTheBytesCome) {
  const std::string text = "{\"a\":1}\n{\"b\":2}\r\n\n  \n{\"c\":3}\n{\"d\"";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    WatchDecoder decoder;
    std::vector<Secret> lines;
    for (std::size_t at = 0; at < text.size(); at += size) {
      ASSERT_TRUE(decoder.Feed(std::string_view(text).substr(at, size), lines));
    }
    EXPECT_THAT(Texts(lines), ElementsAre("{\"a\":1}", "{\"b\":2}\r", "{\"c\":3}")) << size;
    EXPECT_TRUE(decoder.HasPart());
  }
}

TEST(WatchDecoder, WholeLinesLeaveNoPart) {
  WatchDecoder decoder;
  std::vector<Secret> lines;
  ASSERT_TRUE(decoder.Feed("{}\n", lines));
  EXPECT_FALSE(decoder.HasPart());
}

TEST(WatchDecoder, EventsAreLimited) {
  WatchDecoder decoder(10);
  std::vector<Secret> lines;
  EXPECT_TRUE(decoder.Feed("0123456789\n012345", lines));
  const Status status = decoder.Feed("67890", lines);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kResourceExhausted);
  EXPECT_EQ(lines.size(), 1U);
}

TEST(ParseWatchEvent, EachType) {
  const std::string object =
      R"(,"object":{"metadata":{"namespace":"a","name":"b","uid":"u","resourceVersion":"7"}}})";
  for (const auto& [name, type] : std::vector<std::pair<std::string, WatchEvent::Type>>{
           {"ADDED", WatchEvent::Type::kAdded},
           {"MODIFIED", WatchEvent::Type::kModified},
           {"DELETED", WatchEvent::Type::kDeleted},
           {"BOOKMARK", WatchEvent::Type::kBookmark}}) {
    const auto event = Parse("{\"type\":\"" + name + "\"" + object);
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_EQ(event->type, type);
    EXPECT_EQ(event->object.Key().ToString(), "a/b");
    EXPECT_EQ(event->object.ResourceVersion(), "7");
    EXPECT_FALSE(event->EndsInitialEvents());
  }
}

TEST(ParseWatchEvent, TheEndOfInitialEvents) {
  const auto event = Parse(R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7",)"
                           R"("annotations":{"k8s.io/initial-events-end":"true"}}}})");
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->EndsInitialEvents());
}

TEST(ParseWatchEvent, ErrorsHaveTheirCode) {
  const auto gone =
      Parse(R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired",)"
            R"("message":"too old resource version"}})");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(gone.error().message, HasSubstr("watch secrets: too old resource version"));
  const auto busy = Parse(R"({"type":"ERROR","object":{"code":429,"message":"later",)"
                          R"("details":{"retryAfterSeconds":3}}})");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, Code::kResourceExhausted);
  EXPECT_EQ(busy.error().retry_after, std::chrono::seconds(3));
}

TEST(ParseWatchEvent, GarbageShowsNothingOfItself) {
  for (const std::string_view text :
       {"canary", R"({"type":"ADDED","object":"canary"})", R"({"type":"ADDED"})",
        R"({"type":"CANARY","object":{"metadata":{"name":"canary"}}})", R"(["canary"])",
        R"({"type":"ADDED","object":{"metadata":{"canary":"x"}}})", "{\"type\":\"ADDED\""}) {
    const auto event = Parse(text);
    ASSERT_FALSE(event) << text;
    EXPECT_EQ(event.error().code, Code::kUnavailable) << text;
    EXPECT_THAT(event.error().message, HasSubstr("watch secrets"));
    EXPECT_THAT(event.error().message, Not(HasSubstr("canary")));
  }
}

}  // namespace
}  // namespace escagent::kube
