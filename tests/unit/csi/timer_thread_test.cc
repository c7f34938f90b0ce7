#include "csi/timer_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <vector>

namespace escagent::csi {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

TEST(TimerThread, RunsTasksWhenTheyAreDueAndOnItsThread) {
  TimerThread timers("test-timers");
  std::vector<int> order;
  std::promise<bool> done;
  EXPECT_FALSE(timers.IsCurrentThread());
  timers.Add(milliseconds(40), [&] { done.set_value(timers.IsCurrentThread()); });
  timers.Add(milliseconds(20), [&] { order.push_back(2); });
  timers.Add({}, [&] { order.push_back(1); });
  auto future = done.get_future();
  ASSERT_EQ(future.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_TRUE(future.get());
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST(TimerThread, TasksMayAddTasks) {
  TimerThread timers("test-timers");
  std::promise<void> done;
  timers.Add({}, [&] { timers.Add({}, [&] { done.set_value(); }); });
  EXPECT_EQ(done.get_future().wait_for(seconds(10)), std::future_status::ready);
}

TEST(TimerThread, ACancelledTaskIsDestroyedAndDoesNotRun) {
  TimerThread timers("test-timers");
  bool ran = false;
  const auto owned = std::make_shared<int>(1);
  const auto id = timers.Add(hours(1), [&ran, owned] { ran = true; });
  EXPECT_EQ(owned.use_count(), 2);
  EXPECT_TRUE(timers.Cancel(id));
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_FALSE(timers.Cancel(id));
  EXPECT_FALSE(ran);
}

TEST(TimerThread, ATaskThatRanCannotBeCancelled) {
  TimerThread timers("test-timers");
  std::promise<void> done;
  const auto id = timers.Add({}, [&] { done.set_value(); });
  ASSERT_EQ(done.get_future().wait_for(seconds(10)), std::future_status::ready);
  EXPECT_FALSE(timers.Cancel(id));
}

TEST(TimerThread, TakesAnEndlessDelay) {
  const auto owned = std::make_shared<int>(1);
  {
    TimerThread timers("test-timers");
    timers.Add(std::chrono::nanoseconds::max(), [owned] {});
    EXPECT_EQ(owned.use_count(), 2);
  }
  EXPECT_EQ(owned.use_count(), 1);
}

}  // namespace
}  // namespace escagent::csi
