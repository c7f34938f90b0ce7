#include "kube/event_log.h"

#include <gtest/gtest.h>

#include <string>

namespace escagent::kube {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class EventLogTest : public ::testing::Test {
 protected:
  void Add(const std::string& object, const std::string& message) {
    log_.Add({.object = {.resource = Secrets(), .key = {"a", object}, .uid = "uid-" + object},
              .type = "Warning",
              .reason = "Failed",
              .message = message},
             now_, wall_);
  }
  void Pass(std::chrono::nanoseconds time) {
    now_ += std::chrono::duration_cast<Clock::TimePoint::duration>(time);
    wall_ += std::chrono::duration_cast<Clock::WallTime::duration>(time);
  }
  // "object: message xcount" of what is written next; "" when nothing may be.
  std::string Next(bool written = true) {
    const auto write = log_.Next(now_);
    if (!write) return "";
    const std::string text = write->what.object.key.name + ": " + write->what.message + " x" +
                             std::to_string(write->count) + (write->name.empty() ? "" : " again");
    if (written) {
      log_.Written(*write, "event");
    } else {
      log_.Failed(*write, now_);
    }
    return text;
  }

  EventLog log_;
  Clock::TimePoint now_{std::chrono::hours(1000)};
  Clock::WallTime wall_{std::chrono::hours(400000)};
};

TEST_F(EventLogTest, DifferentEventsInTheirOrder) {
  Add("x", "b");
  Add("x", "a");
  Add("y", "b");
  EXPECT_EQ(Next(), "x: b x1");
  EXPECT_EQ(Next(), "x: a x1");
  EXPECT_EQ(Next(), "y: b x1");
  EXPECT_EQ(Next(), "");
  EXPECT_FALSE(log_.NextDue());
}

TEST_F(EventLogTest, EqualEventsAreCountedAtMostOnceAMinute) {
  Add("x", "m");
  Add("x", "m");
  EXPECT_EQ(Next(), "x: m x2");
  Add("x", "m");
  EXPECT_EQ(Next(), "");
  EXPECT_EQ(log_.NextDue(), now_ + minutes(1));
  Pass(seconds(59));
  Add("x", "m");
  EXPECT_EQ(Next(), "");
  Pass(seconds(1));
  EXPECT_EQ(Next(), "x: m x4 again");
}

TEST_F(EventLogTest, AfterTenMinutesItIsAnotherEvent) {
  Add("x", "m");
  EXPECT_EQ(Next(), "x: m x1");
  Pass(minutes(10));
  Add("x", "m");
  EXPECT_EQ(Next(), "x: m x2 again");
  Pass(minutes(10) + seconds(1));
  Add("x", "m");
  EXPECT_EQ(Next(), "x: m x1");
}

TEST_F(EventLogTest, AnObjectMayCauseOnlySoMuch) {
  for (int i = 0; i < 30; ++i) Add("noisy", std::to_string(i));
  Add("calm", "m");
  for (int i = 0; i < 25; ++i) EXPECT_EQ(Next(), "noisy: " + std::to_string(i) + " x1");
  EXPECT_EQ(Next(), "calm: m x1");
  EXPECT_EQ(Next(), "");
  Pass(minutes(4));
  Add("noisy", "later");
  EXPECT_EQ(Next(), "");
  Pass(minutes(1) + seconds(1));
  Add("noisy", "much later");
  Add("noisy", "too much");
  EXPECT_EQ(Next(), "noisy: much later x1");
  EXPECT_EQ(Next(), "");
}

TEST_F(EventLogTest, AFailedWriteIsTriedOnceMore) {
  Add("x", "m");
  EXPECT_EQ(Next(/*written=*/false), "x: m x1");
  EXPECT_EQ(Next(), "");
  Pass(minutes(1));
  EXPECT_EQ(Next(/*written=*/false), "x: m x1");
  Pass(minutes(1));
  EXPECT_EQ(Next(), "");
  Add("x", "m");
  EXPECT_EQ(Next(), "x: m x2");
}

TEST_F(EventLogTest, TheOldestOfTooManyAreDropped) {
  for (int i = 0; i < 1010; ++i) Add("x" + std::to_string(i), "m");
  EXPECT_EQ(Next(), "x10: m x1");
  int count = 1;
  while (!Next().empty()) ++count;
  EXPECT_EQ(count, 1000);
}

TEST_F(EventLogTest, StaysSmallWhateverComes) {
  for (int i = 0; i < 6000; ++i) {
    Add("x" + std::to_string(i), "m");
    EXPECT_FALSE(Next().empty());
  }
  EXPECT_LE(log_.Size(), 4096U);
}

}  // namespace
}  // namespace escagent::kube
