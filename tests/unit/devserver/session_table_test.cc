#include "esc/devserver/session_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "tests/fakes/fake_clock.h"

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;
using escagent::testing::FakeClock;

SessionTable::Snapshot MakeSnapshot() { return std::make_shared<const eval::EvalResult>(); }

TEST(SessionTableTest, SessionIsReadableUntilItExpires) {
  FakeClock clock;
  SessionTable table(clock);
  const auto snapshot = MakeSnapshot();
  const std::string id = table.Add("acme/web/dev", snapshot, 10s);
  EXPECT_EQ(*table.Find("acme/web/dev", id), snapshot);
  clock.Advance(9999ms);
  EXPECT_EQ(*table.Find("acme/web/dev", id), snapshot);
  EXPECT_EQ(table.Size(), 1u);
  clock.Advance(1ms);
  const auto expired = table.Find("acme/web/dev", id);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, Code::kNotFound);
  EXPECT_EQ(table.Size(), 0u);
}

TEST(SessionTableTest, SessionBelongsToItsEnvironment) {
  FakeClock clock;
  SessionTable table(clock);
  const std::string id = table.Add("acme/web/dev", MakeSnapshot(), 10s);
  EXPECT_FALSE(table.Find("acme/web/prod", id));
  EXPECT_FALSE(table.Find("acme/web/dev", "42"));
  EXPECT_FALSE(table.Find("acme/web/dev", ""));
}

TEST(SessionTableTest, IdsDiffer) {
  FakeClock clock;
  SessionTable table(clock);
  const std::string first = table.Add("acme/web/dev", MakeSnapshot(), 10s);
  EXPECT_NE(table.Add("acme/web/dev", MakeSnapshot(), 10s), first);
  EXPECT_EQ(first.size(), 32u);
}

TEST(SessionTableTest, TheOldestGoesWhenThereAreTooMany) {
  FakeClock clock;
  SessionTable table(clock);
  const std::string first = table.Add("acme/web/dev", MakeSnapshot(), 10s);
  const std::string second = table.Add("acme/web/dev", MakeSnapshot(), 10s);
  for (std::size_t i = 2; i < SessionTable::kMaxSessions + 1; ++i) {
    table.Add("acme/web/dev", MakeSnapshot(), 10s);
  }
  EXPECT_EQ(table.Size(), SessionTable::kMaxSessions);
  EXPECT_FALSE(table.Find("acme/web/dev", first));
  EXPECT_TRUE(table.Find("acme/web/dev", second));
}

}  // namespace
}  // namespace escagent::devserver
