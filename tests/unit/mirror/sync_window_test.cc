#include "agent/mirror/sync_window.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "base/duration.h"
#include "base/rfc3339.h"

namespace escagent::mirror {
namespace {

TimeOfDay At(std::string_view text) { return *ParseRfc3339(text); }

SyncWindows Windows(bool deny,
                    std::initializer_list<std::pair<const char*, std::chrono::minutes>> list) {
  SyncWindows windows;
  windows.deny = deny;
  for (const auto& [schedule, duration] : list) {
    windows.windows.push_back({*CronSchedule::Parse(schedule), duration});
  }
  return windows;
}

std::string Change(const SyncWindows& windows, std::string_view now) {
  const auto change = NextChange(windows, At(now));
  return change ? FormatTime(*change) : "never";
}

constexpr std::chrono::minutes kTwoHours(120);

TEST(SyncWindow, HoldsItsFirstAndLastSecond) {
  const SyncWindows nightly = Windows(false, {{"0 22 * * *", kTwoHours}});
  EXPECT_FALSE(Open(nightly, At("2026-06-01T21:59:59Z")));
  EXPECT_TRUE(Open(nightly, At("2026-06-01T22:00:00Z")));
  EXPECT_TRUE(Open(nightly, At("2026-06-01T23:30:00Z")));
  EXPECT_TRUE(Open(nightly, At("2026-06-02T00:00:00Z")));
  EXPECT_TRUE(Open(nightly, At("2026-06-02T00:00:00.9Z")));
  EXPECT_FALSE(Open(nightly, At("2026-06-02T00:00:01Z")));
  EXPECT_FALSE(Open(nightly, At("2026-06-02T03:00:00Z")));
}

TEST(SyncWindow, DenyIsTheOpposite) {
  const SyncWindows nightly = Windows(true, {{"0 22 * * *", kTwoHours}});
  EXPECT_TRUE(Open(nightly, At("2026-06-01T20:00:00Z")));
  EXPECT_FALSE(Open(nightly, At("2026-06-01T23:00:00Z")));
}

TEST(SyncWindow, WithoutWindowsItIsOpen) {
  EXPECT_TRUE(Open(Windows(false, {}), At("2026-06-01T20:00:00Z")));
  EXPECT_TRUE(Open(Windows(true, {}), At("2026-06-01T20:00:00Z")));
  EXPECT_EQ(Change(Windows(false, {}), "2026-06-01T20:00:00Z"), "never");
}

TEST(SyncWindow, AnyWindowCounts) {
  const SyncWindows two =
      Windows(false, {{"0 1 * * *", kTwoHours}, {"0 12 * * *", std::chrono::minutes(30)}});
  EXPECT_TRUE(Open(two, At("2026-06-01T12:15:00Z")));
  EXPECT_TRUE(Open(two, At("2026-06-01T02:15:00Z")));
  EXPECT_FALSE(Open(two, At("2026-06-01T11:15:00Z")));
}

TEST(SyncWindow, TellsWhenItChanges) {
  const SyncWindows nightly = Windows(false, {{"0 22 * * *", kTwoHours}});
  EXPECT_EQ(Change(nightly, "2026-06-01T20:00:00Z"), "2026-06-01T22:00:00Z");
  EXPECT_EQ(Change(nightly, "2026-06-01T22:00:00Z"), "2026-06-02T00:00:01Z");
  EXPECT_EQ(Change(nightly, "2026-06-02T00:00:01Z"), "2026-06-02T22:00:00Z");
}

TEST(SyncWindow, OverlapsAreOneWindow) {
  const SyncWindows overlap = Windows(true, {{"0 22 * * *", kTwoHours}, {"0 23 * * *", kTwoHours}});
  EXPECT_EQ(Change(overlap, "2026-06-01T22:30:00Z"), "2026-06-02T01:00:01Z");
}

TEST(SyncWindow, OneThatNeverEndsOrBeginsDoesNotChange) {
  EXPECT_EQ(Change(Windows(false, {{"* * * * *", kTwoHours}}), "2026-06-01T22:30:00Z"), "never");
  const SyncWindows never = Windows(false, {{"0 0 31 2 *", kTwoHours}});
  EXPECT_FALSE(Open(never, At("2026-06-01T22:30:00Z")));
  EXPECT_EQ(Change(never, "2026-06-01T22:30:00Z"), "never");
}

}  // namespace
}  // namespace escagent::mirror
