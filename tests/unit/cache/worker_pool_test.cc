#include "agent/cache/worker_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

constexpr WorkerPool::Class kNormal{.urgent = false, .slow = false};
constexpr WorkerPool::Class kUrgent{.urgent = true, .slow = false};
constexpr WorkerPool::Class kSlow{.urgent = false, .slow = true};

// Jobs that wait at a gate, and a record of what began.
class Gate {
 public:
  WorkerPool::Job Job(std::string name) {
    return [this, name](const std::stop_token& stop) {
      const std::stop_callback wake(stop, [this] {
        MutexLock lock(mutex_);
        changed_.NotifyAll();
      });
      MutexLock lock(mutex_);
      begun_.push_back(name);
      changed_.NotifyAll();
      while (!open_ && !stop.stop_requested()) changed_.Wait(mutex_);
    };
  }
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  std::vector<std::string> Begun() {
    MutexLock lock(mutex_);
    return begun_;
  }
  bool AwaitBegun(std::size_t count) {
    return Eventually([&] { return Begun().size() >= count; });
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ = false;
  std::vector<std::string> begun_;
};

TEST(WorkerPool, StartsThreadsOnlyWhenNeeded) {
  WorkerPool pool(4);
  EXPECT_EQ(pool.ThreadCount(), 0U);
  for (int i = 0; i < 20; ++i) {
    Gate gate;
    gate.Open();
    pool.Submit(kNormal, gate.Job("a"));
    ASSERT_TRUE(gate.AwaitBegun(1));
  }
  EXPECT_LE(pool.ThreadCount(), 4U);
}

TEST(WorkerPool, RunsUpToWorkersAtOnce) {
  Gate gate;
  WorkerPool pool(3);
  for (int i = 0; i < 5; ++i) pool.Submit(kNormal, gate.Job("a"));
  ASSERT_TRUE(gate.AwaitBegun(3));
  EXPECT_EQ(pool.ThreadCount(), 3U);
  EXPECT_EQ(gate.Begun().size(), 3U);
  gate.Open();
  EXPECT_TRUE(gate.AwaitBegun(5));
}

TEST(WorkerPool, UrgentJobsGoFirst) {
  Gate blocker;
  Gate gate;
  gate.Open();
  WorkerPool pool(2);
  pool.Submit(kNormal, blocker.Job("a"));
  pool.Submit(kNormal, blocker.Job("b"));
  ASSERT_TRUE(blocker.AwaitBegun(2));
  // Queued while nobody can take them; the first worker to be free takes the urgent one.
  Gate second;
  pool.Submit(kNormal, second.Job("refresh"));
  pool.Submit(kNormal, second.Job("refresh"));
  pool.Submit(kUrgent, second.Job("open"));
  blocker.Open();
  ASSERT_TRUE(second.AwaitBegun(2));
  const std::vector<std::string> begun = second.Begun();
  EXPECT_TRUE(begun[0] == "open" || begun[1] == "open");
  second.Open();
  EXPECT_TRUE(second.AwaitBegun(3));
}

TEST(WorkerPool, SlowJobsLeaveWorkersToTheOthers) {
  Gate hung;
  Gate quick;
  quick.Open();
  WorkerPool pool(8);
  EXPECT_EQ(pool.slow_limit(), 6U);
  for (int i = 0; i < 20; ++i) pool.Submit(kSlow, hung.Job("slow"));
  ASSERT_TRUE(hung.AwaitBegun(6));
  for (int i = 0; i < 20; ++i) pool.Submit(kNormal, quick.Job("quick"));
  ASSERT_TRUE(quick.AwaitBegun(20));
  EXPECT_EQ(hung.Begun().size(), 6U);
  hung.Open();
  EXPECT_TRUE(hung.AwaitBegun(20));
}

TEST(WorkerPool, TheSmallestPoolKeepsOneWorkerFree) {
  const WorkerPool pool(2);
  EXPECT_EQ(pool.slow_limit(), 1U);
}

TEST(WorkerPool, DestructorStopsRunningJobsAndDropsTheRest) {
  Gate gate;  // never opened: the jobs end by their stop token
  {
    WorkerPool pool(2);
    for (int i = 0; i < 5; ++i) pool.Submit(kNormal, gate.Job("a"));
    ASSERT_TRUE(gate.AwaitBegun(2));
  }
  EXPECT_EQ(gate.Begun().size(), 2U);
}

}  // namespace
}  // namespace escagent::cache
