#include "base/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <set>

namespace escagent {
namespace {

using std::chrono::milliseconds;

TEST(BackoffTest, GrowsByTheFactorAndIsCapped) {
  Backoff backoff(
      {.initial = milliseconds(100), .max = milliseconds(1000), .factor = 2.0, .jitter = 0.0}, 1);
  for (const int expected : {100, 200, 400, 800, 1000, 1000, 1000}) {
    EXPECT_EQ(backoff.Next(), milliseconds(expected));
  }
  EXPECT_EQ(backoff.Failures(), 7);
  backoff.Reset();
  EXPECT_EQ(backoff.Failures(), 0);
  EXPECT_EQ(backoff.Next(), milliseconds(100));
}

TEST(BackoffTest, NeverOverflows) {
  Backoff backoff({.jitter = 0.0}, 1);
  milliseconds last{0};
  for (int i = 0; i < 100000; ++i) {
    last = backoff.Next();
    ASSERT_GT(last, milliseconds(0));
    ASSERT_LE(last, milliseconds(60000));
  }
  EXPECT_EQ(last, milliseconds(60000));
}

TEST(BackoffTest, JitterStaysInItsRangeAndFillsIt) {
  milliseconds low = milliseconds::max();
  milliseconds high{0};
  double sum = 0;
  constexpr int kRuns = 2000;
  for (int seed = 0; seed < kRuns; ++seed) {
    Backoff backoff(
        {.initial = milliseconds(1000), .max = milliseconds(60000), .factor = 2.0, .jitter = 0.2},
        static_cast<std::uint64_t>(seed) * 7919);
    const milliseconds delay = backoff.Next();
    low = std::min(low, delay);
    high = std::max(high, delay);
    sum += static_cast<double>(delay.count());
  }
  EXPECT_GE(low, milliseconds(799));
  EXPECT_LE(high, milliseconds(1201));
  EXPECT_LT(low, milliseconds(850));
  EXPECT_GT(high, milliseconds(1150));
  EXPECT_NEAR(sum / kRuns, 1000.0, 30.0);
}

TEST(BackoffTest, DifferentSeedsDriftApart) {
  std::set<milliseconds> delays;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Backoff backoff({}, seed);
    delays.insert(backoff.Next());
  }
  EXPECT_GT(delays.size(), 30U) << "neighbouring seeds must not give the same delay";
}

TEST(BackoffTest, HonoursTheServersRetryAfter) {
  Backoff backoff(
      {.initial = milliseconds(100), .max = milliseconds(1000), .factor = 2.0, .jitter = 0.2}, 1);
  EXPECT_GE(backoff.Next(milliseconds(5000)), milliseconds(5000));
  EXPECT_LT(backoff.Next(milliseconds(1)), milliseconds(1300));
}

TEST(JitteredTest, StaysInItsRangeAndFillsIt) {
  std::minstd_rand random(1);
  milliseconds low = milliseconds::max();
  milliseconds high{0};
  for (int i = 0; i < 2000; ++i) {
    const milliseconds interval = Jittered(milliseconds(10000), 0.1, random);
    low = std::min(low, interval);
    high = std::max(high, interval);
  }
  EXPECT_GE(low, milliseconds(8999));
  EXPECT_LE(high, milliseconds(11001));
  EXPECT_LT(low, milliseconds(9200));
  EXPECT_GT(high, milliseconds(10800));
}

TEST(JitteredTest, NoJitterIsExact) {
  std::minstd_rand random(1);
  EXPECT_EQ(Jittered(milliseconds(10000), 0.0, random), milliseconds(10000));
}

}  // namespace
}  // namespace escagent
