#include "base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "base/thread.h"

namespace escagent {
namespace {

class Counter {
 public:
  void Increment() {
    const MutexLock lock(mutex_);
    ++value_;
    changed_.NotifyAll();
  }

  void WaitFor(int value) {
    const MutexLock lock(mutex_);
    while (value_ < value) changed_.Wait(mutex_);
  }

  bool WaitUntil(int value, std::chrono::steady_clock::time_point deadline) {
    const MutexLock lock(mutex_);
    while (value_ < value) {
      if (!changed_.WaitUntil(mutex_, deadline)) return value_ >= value;
    }
    return true;
  }

  int Value() {
    const MutexLock lock(mutex_);
    return value_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int value_ GUARDED_BY(mutex_) = 0;
};

TEST(MutexTest, ExcludesOtherThreads) {
  Counter counter;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.push_back(StartThread("count", [&counter] {
        for (int i = 0; i < 5000; ++i) counter.Increment();
      }));
    }
  }
  EXPECT_EQ(counter.Value(), 20000);
}

TEST(CondVarTest, WakesAWaiter) {
  Counter counter;
  const std::jthread thread = StartThread("wake", [&counter] { counter.Increment(); });
  counter.WaitFor(1);
  EXPECT_EQ(counter.Value(), 1);
}

TEST(CondVarTest, WaitUntilEndsAtTheDeadline) {
  Counter counter;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  EXPECT_FALSE(counter.WaitUntil(1, deadline));
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
}

TEST(CondVarTest, WaitUntilSeesWhatHappenedBefore) {
  Counter counter;
  const std::jthread thread = StartThread("wake", [&counter] { counter.Increment(); });
  EXPECT_TRUE(counter.WaitUntil(1, std::chrono::steady_clock::now() + std::chrono::seconds(30)));
}

}  // namespace
}  // namespace escagent
