#include "tests/unit/kube/informer_fixture.h"

// Informers of what may be watched but not listed.

namespace escagent::kube {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class WatchOnlyInformerTest : public InformerTest {
 protected:
  testing::FakeHttpStreams::Stream StartWatching() {
    Start({.resource = Secrets(), .field_selector = "metadata.name=x", .watch_only = true});
    return Accept();
  }
};

TEST_F(WatchOnlyInformerTest, BeginsWithInitialEvents) {
  auto watch = StartWatching();
  EXPECT_THAT(watch.url, HasSubstr("sendInitialEvents=true&resourceVersionMatch=NotOlderThan"));
  EXPECT_THAT(watch.url, Not(HasSubstr("resourceVersion=")));
  streams_.Send(watch.id, Event("ADDED", {"x", "7"}) + Event("ADDED", {"y", "3"}) + Bookmark("10") +
                              Bookmark("11", true));
  EXPECT_THAT(recorder_->AwaitNext(3),
              ElementsAre("upsert a/x v7 initial", "upsert a/y v3 initial", "synced"));
  LiveLong();
  streams_.End(watch.id);
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("resourceVersion=11"));
  EXPECT_THAT(watch.url, Not(HasSubstr("sendInitialEvents")));

  // After 410: what is not among the initial events has gone.
  LiveLong();
  streams_.Send(watch.id, Gone());
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("sendInitialEvents=true"));
  streams_.Send(watch.id, Event("ADDED", {"x", "7"}) + Bookmark("20", true));
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("delete a/y"));
  EXPECT_EQ(lists_, 0);
}

TEST_F(WatchOnlyInformerTest, CutInitialEventsBeginAgain) {
  auto watch = StartWatching();
  streams_.Send(watch.id, Event("ADDED", {"x", "7"}));
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("upsert a/x v7 initial"));
  LiveLong();
  streams_.End(watch.id, Unavailable("reset"));
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("sendInitialEvents=true"));
  streams_.Send(watch.id, Bookmark("20", true));
  EXPECT_THAT(recorder_->AwaitNext(2), ElementsAre("delete a/x", "synced"));
}

TEST_F(WatchOnlyInformerTest, OlderServersGetAPlainWatch) {
  Start({.resource = Secrets(), .watch_only = true});
  const auto refused = streams_.AwaitOpened();
  ASSERT_TRUE(refused);
  streams_.Respond(refused->id, 422);
  streams_.Send(refused->id, R"({"kind":"Status","code":422,"reason":"Invalid",)"
                             R"("message":"sendInitialEvents is forbidden"})");
  streams_.End(refused->id);
  auto watch = Accept();
  EXPECT_THAT(watch.url, Not(HasSubstr("sendInitialEvents")));
  EXPECT_THAT(watch.url, Not(HasSubstr("resourceVersion")));
  streams_.Send(watch.id, Event("ADDED", {"x", "7"}) + Event("ADDED", {"y", "3"}));
  EXPECT_THAT(recorder_->AwaitNext(2),
              ElementsAre("upsert a/x v7 initial", "upsert a/y v3 initial"));
  // Quiet for a while: synced.
  PassDelay();
  EXPECT_EQ(delay_, seconds(1));
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("synced"));

  // Not resumed at an event's version, as those come in any order; nothing has gone for sure until
  // a bookmark.
  LiveLong();
  streams_.End(watch.id);
  watch = Accept();
  EXPECT_THAT(watch.url, Not(HasSubstr("resourceVersion")));
  streams_.Send(watch.id, Event("ADDED", {"x", "7"}) + Event("ADDED", {"z", "9"}));
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("upsert a/z v9"));
  streams_.Send(watch.id, Bookmark("20"));
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("delete a/y"));
  LiveLong();
  streams_.End(watch.id);
  EXPECT_THAT(Accept().url, HasSubstr("resourceVersion=20"));
  EXPECT_EQ(recorder_->Count("health"), 0U);
}

}  // namespace
}  // namespace escagent::kube
