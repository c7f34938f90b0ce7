#include "agent/volume/operation_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace escagent::volume {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

TEST(OperationGateTest, TheSecondOperationOnAVolumeIsAborted) {
  OperationGate gate;
  const auto first = gate.Enter("v", 0ms);
  ASSERT_TRUE(first);
  const auto second = gate.Enter("v", 1ms);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAborted);
  EXPECT_TRUE(gate.Enter("w", 0ms));
}

TEST(OperationGateTest, ThePassLetsTheNextOneInOnce) {
  OperationGate gate;
  std::optional<OperationGate::Pass> pass = *gate.Enter("v", 0ms);
  const OperationGate::Pass moved = *std::move(pass);
  pass.reset();  // moved from: lets nobody in
  EXPECT_FALSE(gate.Enter("v", 0ms));
}

TEST(OperationGateTest, OneAtATimeAndAllGetThrough) {
  OperationGate gate;
  std::atomic<int> inside = 0;
  std::atomic<int> done = 0;
  std::atomic<bool> met = false;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto pass = gate.Enter("v", 20s);
        if (!pass) return;
        if (++inside > 1) met = true;
        std::this_thread::yield();
        --inside;
        ++done;
      });
    }
  }
  EXPECT_FALSE(met);
  EXPECT_EQ(done, 8);
}

}  // namespace
}  // namespace escagent::volume
