#include "base/thread.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace escagent {
namespace {

std::string NameOfThisThread() {
  std::array<char, 32> name = {};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

TEST(StartThreadTest, HasItsName) {
  std::string name;
  StartThread("refresh", [&name] { name = NameOfThisThread(); }).join();
  EXPECT_EQ(name, "refresh");
}

TEST(StartThreadTest, LongNamesAreCut) {
  std::string name;
  StartThread("a-very-long-thread-name", [&name] { name = NameOfThisThread(); }).join();
  EXPECT_EQ(name, "a-very-long-thr");
}

TEST(StartThreadTest, DestructionStopsAndJoins) {
  bool stopped = false;
  {
    const std::jthread thread = StartThread("wait", [&stopped](std::stop_token stop) {
      std::mutex mutex;
      std::condition_variable_any changed;
      std::unique_lock lock(mutex);
      changed.wait(lock, stop, [] { return false; });
      stopped = stop.stop_requested();
    });
  }
  EXPECT_TRUE(stopped);
}

}  // namespace
}  // namespace escagent
