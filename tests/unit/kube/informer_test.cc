#include <string>
#include <thread>

#include "base/thread.h"
#include "tests/unit/kube/informer_fixture.h"

// How an informer lists, watches, resumes and recovers.

namespace escagent::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;

TEST_F(InformerTest, ListsInPagesThenWatchesFromTheirVersion) {
  std::vector<std::string> tokens;
  api_.Set([&](auto& api) {
    api.list = [&](const Resource& resource, const ListOptions& options) -> Result<ListPage> {
      EXPECT_EQ(resource.plural, "secrets");
      EXPECT_EQ(options.namespace_name, "a");
      EXPECT_EQ(options.label_selector, "app in (x,y)");
      EXPECT_EQ(options.field_selector, "type=Opaque");
      EXPECT_TRUE(options.metadata_only);
      EXPECT_EQ(options.limit, 500);
      tokens.push_back(options.continue_token);
      if (options.continue_token.empty()) return Page({{"x", "1"}, {"y", "2"}}, "10", "next");
      return Page({{"z", "3"}}, "10");
    };
  });
  Start({.resource = Secrets(),
         .namespace_name = "a",
         .label_selector = "app in (x,y)",
         .field_selector = "type=Opaque",
         .metadata_only = true});
  EXPECT_THAT(recorder_->AwaitNext(4), ElementsAre("upsert a/x v1 initial", "upsert a/y v2 initial",
                                                   "upsert a/z v3 initial", "synced"));
  const auto watch = Accept();
  EXPECT_THAT(tokens, ElementsAre("", "next"));
  EXPECT_THAT(watch.url, HasSubstr("https://kube.test/api/v1/namespaces/a/secrets?watch=true"));
  EXPECT_THAT(watch.url, HasSubstr("&resourceVersion=10"));
  EXPECT_THAT(watch.url, HasSubstr("&allowWatchBookmarks=true"));
  EXPECT_THAT(watch.url, HasSubstr("&labelSelector=app%20in%20%28x%2Cy%29"));
  EXPECT_THAT(watch.url, HasSubstr("&fieldSelector=type%3DOpaque"));
  EXPECT_THAT(watch.url, Not(HasSubstr("sendInitialEvents")));
  ASSERT_EQ(watch.headers.size(), 1U);
  EXPECT_THAT(watch.headers[0].value, HasSubstr("as=PartialObjectMetadata;"));
  EXPECT_EQ(watch.idle_timeout, milliseconds(150000));
  const std::string timeout = watch.url.substr(watch.url.find("timeoutSeconds=") + 15);
  EXPECT_THAT(std::stoi(timeout), ::testing::AllOf(Ge(300), Le(600)));
}

TEST_F(InformerTest, TellsTheEventsOfTheWatch) {
  const auto watch = StartSynced();
  const std::string events = Event("ADDED", {"y", "11"}) + Event("MODIFIED", {"x", "12"}) +
                             Event("DELETED", {"y", "13"}) + Event("DELETED", {"unknown", "14"}) +
                             Event("MODIFIED", {"x", "12"}) + Event("MODIFIED", {"x", "15"});
  // In pieces that are no events.
  for (std::size_t at = 0; at < events.size(); at += 7) {
    streams_.Send(watch.id, std::string_view(events).substr(at, 7));
  }
  EXPECT_THAT(recorder_->AwaitNext(4),
              ElementsAre("upsert a/y v11", "upsert a/x v12", "delete a/y", "upsert a/x v15"));
}

TEST_F(InformerTest, AReplacedObjectIsDeletedFirst) {
  const auto watch = StartSynced();
  streams_.Send(watch.id, Event("ADDED", {"x", "11", "another"}) +
                              Event("DELETED", {"x", "12", "uid-x"}) +
                              Event("MODIFIED", {"x", "13", "another"}));
  EXPECT_THAT(recorder_->AwaitNext(3),
              ElementsAre("delete a/x", "upsert a/x v11", "upsert a/x v13"));
}

TEST_F(InformerTest, ResumesWhereItWasWithoutAList) {
  auto watch = StartSynced();
  LiveLong();
  streams_.End(watch.id);
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("resourceVersion=10"));
  streams_.Send(watch.id, Event("MODIFIED", {"x", "20"}));
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("upsert a/x v20"));
  LiveLong();
  streams_.End(watch.id, Unavailable("reset"));
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("resourceVersion=20"));
  streams_.Send(watch.id, Bookmark("30"));
  LiveLong();
  streams_.End(watch.id);
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("resourceVersion=30")) << "bookmarks count";
  EXPECT_EQ(lists_, 1);
  EXPECT_EQ(recorder_->Count("health"), 0U) << "nothing failed";
}

TEST_F(InformerTest, AnExpiredVersionListsAgain) {
  const auto expire_in_stream = [&](const auto& watch) { streams_.Send(watch.id, Gone()); };
  const auto expire_at_start = [&](const auto& watch) {
    LiveLong();
    streams_.End(watch.id);
    const auto next = streams_.AwaitOpened();
    ASSERT_TRUE(next);
    streams_.Respond(next->id, 410);
    streams_.Send(next->id, R"({"kind":"Status","code":410,"reason":"Expired","message":"old"})");
    streams_.End(next->id);
  };
  auto watch = StartSynced();
  streams_.Send(watch.id, Event("ADDED", {"y", "11"}) + Event("ADDED", {"z", "12"}));
  recorder_->AwaitNext(2);
  LiveLong();
  List({{"y", "11"}, {"z", "22"}, {"new", "23"}}, "30");
  expire_in_stream(watch);
  EXPECT_THAT(recorder_->AwaitNext(3),
              ElementsAre("upsert a/z v22", "upsert a/new v23", "delete a/x"))
      << "what is unchanged is not told, what has gone is";
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("resourceVersion=30"));
  EXPECT_TRUE(streams_.AwaitClosed(1)) << "the old watch is closed";
  EXPECT_EQ(lists_, 2);

  List({{"z", "22", "reborn"}, {"new", "23"}}, "40");
  expire_at_start(watch);
  EXPECT_THAT(recorder_->AwaitNext(3), ElementsAre("delete a/z", "upsert a/z v22", "delete a/y"));
  EXPECT_THAT(Accept().url, HasSubstr("resourceVersion=40"));
  EXPECT_EQ(lists_, 3);
}

TEST_F(InformerTest, AServerThatSays410ForEverIsAskedLessAndLess) {
  auto watch = StartSynced();
  streams_.Send(watch.id, Gone());
  watch = Accept();  // the first time at once
  EXPECT_EQ(lists_, 2);
  milliseconds before{0};
  for (int i = 0; i < 4; ++i) {
    streams_.Send(watch.id, Gone());
    PassDelay();
    watch = Accept();
    EXPECT_GT(delay_, before);
    before = delay_;
  }
  EXPECT_EQ(lists_, 6);
}

TEST_F(InformerTest, FailingListsAreRetriedWithBackoff) {
  FailLists({.code = Code::kUnavailable, .message = "list secrets: connection refused"});
  Start();
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("health UNAVAILABLE"));
  EXPECT_EQ(recorder_->HealthMessage(), "list secrets: connection refused");
  std::vector<milliseconds> delays;
  for (int i = 0; i < 8; ++i) {
    PassDelay();
    AwaitLists(i + 2);
    delays.push_back(delay_);
  }
  EXPECT_THAT(delays.front(), ::testing::AllOf(Ge(milliseconds(375)), Le(milliseconds(625))));
  EXPECT_THAT(delays.back(), ::testing::AllOf(Ge(milliseconds(22500)), Le(milliseconds(37500))));
  FailLists({.code = Code::kResourceExhausted,
             .message = "list secrets: too many requests",
             .retry_after = seconds(77)});
  PassDelay();
  AwaitLists(10);
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("health RESOURCE_EXHAUSTED"));
  List({}, "10");
  PassDelay();
  EXPECT_GE(delay_, seconds(77));
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("synced"));
  Accept();
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("health OK"));
}

TEST_F(InformerTest, AWatchThatCannotBeOpenedIsToldAndRetried) {
  auto watch = StartSynced();
  LiveLong();
  streams_.End(watch.id, Unavailable("reset"));
  auto next = streams_.AwaitOpened();
  ASSERT_TRUE(next);
  streams_.Respond(next->id, 403);
  streams_.Send(next->id,
                R"({"kind":"Status","code":403,"reason":"Forbidden","message":"may not watch"})");
  streams_.End(next->id);
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("health PERMISSION_DENIED"));
  EXPECT_EQ(recorder_->HealthMessage(), "watch secrets: may not watch");
  PassDelay();
  next = streams_.AwaitOpened();
  ASSERT_TRUE(next);
  streams_.End(next->id, Unavailable("no connection"));
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("health UNAVAILABLE"));
  PassDelay();
  watch = Accept();
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("health OK"));
  EXPECT_THAT(watch.url, HasSubstr("resourceVersion=10"));
  EXPECT_EQ(lists_, 1);
}

TEST_F(InformerTest, GarbageEndsTheWatchAndNothingElse) {
  auto watch = StartSynced();
  streams_.Send(watch.id, Event("ADDED", {"y", "11"}) + "{\"type\":\"ADD\n");
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("upsert a/y v11"));
  EXPECT_TRUE(streams_.AwaitClosed(watch.id));
  PassDelay();
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("resourceVersion=11"));
  EXPECT_EQ(lists_, 1);
}

TEST_F(InformerTest, AnEventCutByTheEndIsNotTold) {
  auto watch = StartSynced();
  const std::string event = Event("ADDED", {"y", "11"});
  streams_.Send(watch.id, event.substr(0, event.size() - 1));
  LiveLong();
  streams_.End(watch.id);
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("resourceVersion=10"));
  EXPECT_THAT(recorder_->AwaitNext(0), IsEmpty());
}

TEST_F(InformerTest, AMissingKindIsListedAgain) {
  const auto watch = StartSynced();
  LiveLong();
  streams_.End(watch.id);
  const auto next = streams_.AwaitOpened();
  ASSERT_TRUE(next);
  List({}, "50");
  streams_.Respond(next->id, 404);
  streams_.End(next->id);
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("health NOT_FOUND"));
  PassDelay();
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("delete a/x"));
  EXPECT_THAT(Accept().url, HasSubstr("resourceVersion=50"));
}

TEST_F(InformerTest, AReaderThatIsBehindMissesNothing) {
  std::atomic<bool> slow = true;
  recorder_->on_call = [&](const std::string& line) {
    if (line == "upsert a/first v11") slow.wait(true);
  };
  auto watch = StartSynced();
  streams_.Send(watch.id, Event("ADDED", {"first", "11"}));
  // More than is kept in memory.
  std::string padded = Event("MODIFIED", {"x", "12"});
  padded.insert(padded.size() - 2, ",\"pad\":\"" + std::string(std::size_t{6} << 20, 'x') + "\"");
  std::size_t sent = 0;
  while (streams_.OpenStreams() > 0 && sent < 10) {
    streams_.Send(watch.id, padded);
    ++sent;
  }
  EXPECT_EQ(streams_.OpenStreams(), 0U) << "the watch is given up";
  EXPECT_EQ(sent, 3U);
  slow = false;
  slow.notify_all();
  EXPECT_THAT(recorder_->AwaitNext(2), ElementsAre("upsert a/first v11", "upsert a/x v12"));
  PassDelay();
  watch = Accept();
  EXPECT_THAT(watch.url, HasSubstr("resourceVersion=12"));
  EXPECT_EQ(lists_, 1);
}

TEST_F(InformerTest, ARefusedTokenIsReplacedOrTold) {
  const auto watch = StartSynced();
  LiveLong();
  streams_.End(watch.id);
  for (int i = 0; i < 2; ++i) {
    const auto next = streams_.AwaitOpened();
    ASSERT_TRUE(next);
    streams_.Respond(next->id, 401);
    streams_.End(next->id);
  }
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("health UNAUTHENTICATED"));
}

TEST_F(InformerTest, TheHandlerMayEndIt) {
  recorder_->on_call = [&](const std::string& line) {
    if (line == "upsert a/y v11") handle_ = {};
  };
  const auto watch = StartSynced();
  streams_.Send(watch.id, Event("ADDED", {"y", "11"}) + Event("ADDED", {"z", "12"}));
  EXPECT_THAT(recorder_->AwaitNext(1), ElementsAre("upsert a/y v11"));
  EXPECT_TRUE(streams_.AwaitClosed(watch.id));
  EXPECT_THAT(recorder_->AwaitNext(0), IsEmpty());
}

TEST_F(InformerTest, EndingItWaitsForTheCallThatIsRunning) {
  std::atomic<bool> in_call = false;
  std::atomic<bool> leave = false;
  recorder_->on_call = [&](const std::string& line) {
    if (line != "upsert a/y v11") return;
    in_call = true;
    in_call.notify_all();
    leave.wait(false);
  };
  const auto watch = StartSynced();
  streams_.Send(watch.id, Event("ADDED", {"y", "11"}) + Event("ADDED", {"z", "12"}));
  in_call.wait(false);
  std::atomic<bool> ended = false;
  {
    const auto ender = StartThread("ender", [&] {
      handle_ = {};
      ended = true;
    });
    EXPECT_TRUE(streams_.AwaitClosed(watch.id));
    EXPECT_FALSE(ended);
    leave = true;
    leave.notify_all();
  }
  const auto lines = recorder_->AwaitNext(1);
  EXPECT_THAT(lines, ElementsAre("upsert a/y v11"));
  std::weak_ptr<InformerRecorder> weak = recorder_;
  recorder_.reset();
  EXPECT_TRUE(weak.expired()) << "the handler is let go of";
}

TEST_F(InformerTest, EndingItCancelsTheDelay) {
  FailLists({.code = Code::kUnavailable, .message = "down"});
  Start();
  recorder_->AwaitNext(1);
  ASSERT_TRUE(clock_.AwaitSleepers(2));
  handle_ = {};
  clock_.Advance(std::chrono::minutes(5));
  List({}, "1");
  // Another one is served, the ended one is not.
  auto other = std::make_shared<InformerRecorder>();
  const InformerHandle handle = pool_.Start({.resource = ConfigMaps()}, other);
  EXPECT_THAT(other->AwaitNext(1), ElementsAre("synced"));
  EXPECT_THAT(recorder_->AwaitNext(0), IsEmpty());
}

}  // namespace
}  // namespace escagent::kube
