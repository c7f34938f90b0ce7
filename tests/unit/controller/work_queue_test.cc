#include "agent/controller/work_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "tests/fakes/fake_clock.h"

namespace escagent::controller {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr seconds kPatience{10};

// Work that waits until the test lets it go on, and notes what it was given.
class Desk {
 public:
  void Do(const kube::ObjectKey& key) {
    MutexLock lock(mutex_);
    begun_.push_back(key.ToString());
    changed_.NotifyAll();
    while (allowed_ == 0) changed_.Wait(mutex_);
    if (allowed_ > 0) --allowed_;
    done_.push_back(key.ToString());
    changed_.NotifyAll();
  }
  // Lets so much work be finished; all from now on when negative.
  void Allow(int count) {
    MutexLock lock(mutex_);
    allowed_ = count < 0 ? count : allowed_ + count;
    changed_.NotifyAll();
  }
  bool AwaitBegun(std::size_t count) { return Await(begun_, count); }
  bool AwaitDone(std::size_t count) { return Await(done_, count); }
  std::vector<std::string> Done() {
    MutexLock lock(mutex_);
    return done_;
  }
  std::vector<std::string> Begun() {
    MutexLock lock(mutex_);
    return begun_;
  }

 private:
  bool Await(const std::vector<std::string>& list, std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    MutexLock lock(mutex_);
    while (list.size() < count) {
      if (!changed_.WaitUntil(mutex_, deadline)) return false;
    }
    return true;
  }

  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> begun_;
  std::vector<std::string> done_;
  int allowed_ = 0;
};

class WorkQueueTest : public ::testing::Test {
 protected:
  ~WorkQueueTest() override { desk_.Allow(-1); }

  static kube::ObjectKey Key(const std::string& name, const std::string& name_space = "n") {
    return {name_space, name};
  }
  // Has the only worker busy with one key, so that what is added afterwards waits.
  void Occupy() {
    queue_.Add(Key("busy"), Lane::kInteractive);
    ASSERT_TRUE(desk_.AwaitBegun(1));
  }

  testing::FakeClock clock_;
  Desk desk_;
  WorkQueue queue_{{.thread_name = "test", .workers = 1},
                   clock_,
                   [this](const kube::ObjectKey& key, Lane /*lane*/,
                          const std::stop_token& /*stop*/) { desk_.Do(key); }};
};

TEST_F(WorkQueueTest, LanesGoInTheirOrder) {
  Occupy();
  queue_.Add(Key("background"), Lane::kBackground);
  queue_.Add(Key("normal"), Lane::kNormal);
  queue_.Add(Key("interactive"), Lane::kInteractive);
  EXPECT_EQ(queue_.Depth(), 3U);
  desk_.Allow(-1);
  ASSERT_TRUE(desk_.AwaitDone(4));
  EXPECT_THAT(desk_.Done(), ElementsAre("n/busy", "n/interactive", "n/normal", "n/background"));
  EXPECT_EQ(queue_.Depth(), 0U);
}

TEST_F(WorkQueueTest, AKeyWaitsOnceAndMovesUp) {
  Occupy();
  queue_.Add(Key("other"), Lane::kNormal);
  queue_.Add(Key("twice"), Lane::kBackground);
  queue_.Add(Key("twice"), Lane::kInteractive);
  queue_.Add(Key("twice"), Lane::kBackground);
  EXPECT_EQ(queue_.Depth(), 2U);
  desk_.Allow(-1);
  queue_.WaitForWorkOn([](const kube::ObjectKey& key) { return key.name == "busy"; });
  ASSERT_TRUE(desk_.AwaitDone(3));
  EXPECT_THAT(desk_.Done(), ElementsAre("n/busy", "n/twice", "n/other"));
}

TEST_F(WorkQueueTest, WhatIsAddedWhileItIsWorkedOnIsWorkedOnAgain) {
  Occupy();
  queue_.Add(Key("busy"), Lane::kNormal);
  desk_.Allow(-1);
  ASSERT_TRUE(desk_.AwaitDone(2));
  EXPECT_THAT(desk_.Done(), ElementsAre("n/busy", "n/busy"));
}

TEST_F(WorkQueueTest, NamespacesTakeTurns) {
  Occupy();
  for (const char* name : {"1", "2", "3"}) queue_.Add(Key(name, "big"), Lane::kNormal);
  queue_.Add(Key("1", "small"), Lane::kNormal);
  desk_.Allow(-1);
  ASSERT_TRUE(desk_.AwaitDone(5));
  EXPECT_THAT(desk_.Done(), ElementsAre("n/busy", "big/1", "small/1", "big/2", "big/3"));
}

TEST_F(WorkQueueTest, TheLastLaneGetsATurnNowAndThen) {
  Occupy();
  for (int i = 0; i < 20; ++i) queue_.Add(Key(std::to_string(i)), Lane::kInteractive);
  queue_.Add(Key("patient"), Lane::kBackground);
  desk_.Allow(9);
  ASSERT_TRUE(desk_.AwaitDone(9));
  EXPECT_THAT(desk_.Done(), ::testing::Contains("n/patient"));
}

TEST_F(WorkQueueTest, ADueKeyIsAddedWhenItsTimeComesAndTheEarliestTimeCounts) {
  desk_.Allow(-1);
  queue_.AddAt(Key("later"), clock_.Now() + seconds(30));
  queue_.AddAt(Key("later"), clock_.Now() + seconds(10));
  queue_.AddAt(Key("later"), clock_.Now() + seconds(20));
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  clock_.Advance(seconds(9));
  EXPECT_THAT(desk_.Begun(), IsEmpty());
  clock_.Advance(seconds(1));
  ASSERT_TRUE(desk_.AwaitDone(1));
  // Nothing of the other times is left.
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  clock_.Advance(seconds(60));
  queue_.Add(Key("end"), Lane::kBackground);
  ASSERT_TRUE(desk_.AwaitDone(2));
  EXPECT_THAT(desk_.Done(), ElementsAre("n/later", "n/end"));
}

TEST_F(WorkQueueTest, WhatIsForgottenIsNotWorkedOn) {
  Occupy();
  queue_.Add(Key("gone"), Lane::kInteractive);
  queue_.Forget(Key("gone"));
  queue_.Add(Key("end"), Lane::kBackground);
  EXPECT_EQ(queue_.Depth(), 1U);
  desk_.Allow(-1);
  ASSERT_TRUE(desk_.AwaitDone(2));
  EXPECT_THAT(desk_.Done(), ElementsAre("n/busy", "n/end"));
}

TEST_F(WorkQueueTest, AfterStopNothingIsWorkedOn) {
  Occupy();
  queue_.Add(Key("waits"), Lane::kInteractive);
  desk_.Allow(1);
  ASSERT_TRUE(desk_.AwaitBegun(2));
  desk_.Allow(-1);
  queue_.Stop();
  queue_.Add(Key("late"), Lane::kInteractive);
  queue_.AddAt(Key("late"), clock_.Now());
  EXPECT_THAT(desk_.Begun(), ElementsAre("n/busy", "n/waits"));
}

TEST(WorkQueueLimitTest, OneNamespaceDoesNotGetAllWorkers) {
  testing::FakeClock clock;
  Desk desk;
  WorkQueue queue({.thread_name = "test", .workers = 3, .per_namespace = 2}, clock,
                  [&](const kube::ObjectKey& key, Lane /*lane*/, const std::stop_token& /*stop*/) {
                    desk.Do(key);
                  });
  for (const char* name : {"1", "2", "3", "4"}) queue.Add({"big", name}, Lane::kInteractive);
  ASSERT_TRUE(desk.AwaitBegun(2));
  queue.Add({"small", "1"}, Lane::kBackground);
  ASSERT_TRUE(desk.AwaitBegun(3));
  EXPECT_THAT(desk.Begun(), ::testing::Contains("small/1"));
  desk.Allow(-1);
  EXPECT_TRUE(desk.AwaitDone(5));
}

}  // namespace
}  // namespace escagent::controller
