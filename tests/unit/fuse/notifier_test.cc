#include "fuse/notifier.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace escagent::fuse {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kDeadline{20};

TEST(NotifierTest, RunsTasksInTheOrderOfTheirTimes) {
  std::vector<int> order;  // one thread, so no lock
  std::promise<void> done;
  {
    Notifier notifier(1);
    const auto now = steady_clock::now();
    notifier.Post(now + std::chrono::milliseconds(40), [&] {
      order.push_back(3);
      done.set_value();
    });
    notifier.Post(now + std::chrono::milliseconds(20), [&] { order.push_back(2); });
    notifier.Post(now, [&] { order.push_back(1); });
    ASSERT_EQ(done.get_future().wait_for(kDeadline), std::future_status::ready);
    EXPECT_GE(steady_clock::now(), now + std::chrono::milliseconds(40));
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(NotifierTest, OneHeldUpTaskDoesNotHoldTheOthersUp) {
  Notifier notifier(2);
  std::promise<void> release;
  std::promise<void> ran;
  notifier.Post(steady_clock::now(), [held = release.get_future()] { held.wait(); });
  notifier.Post(steady_clock::now(), [&] { ran.set_value(); });
  const auto status = ran.get_future().wait_for(kDeadline);
  release.set_value();
  EXPECT_EQ(status, std::future_status::ready);
}

TEST(NotifierTest, DropsWhatIsNotDueWhenItEnds) {
  bool ran = false;
  const auto begin = steady_clock::now();
  {
    Notifier notifier(2);
    notifier.Post(begin + std::chrono::hours(1), [&] { ran = true; });
  }
  EXPECT_FALSE(ran);
  EXPECT_LT(steady_clock::now() - begin, kDeadline);
}

}  // namespace
}  // namespace escagent::fuse
