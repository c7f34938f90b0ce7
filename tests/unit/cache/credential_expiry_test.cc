#include "agent/cache/credential_expiry.h"

#include <gtest/gtest.h>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

constexpr std::chrono::system_clock::time_point kOpened{1767225600s};  // 2026-01-01T00:00:00Z

std::optional<std::chrono::seconds> Left(esc::Value properties) {
  const auto expiry = FindCredentialExpiry(properties, kOpened);
  if (!expiry) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(*expiry - kOpened);
}
std::optional<std::chrono::seconds> LeftOf(std::string key, std::string_view text) {
  return Left(ObjectValue(std::move(key), StringValue(text)));
}
esc::Value NumberValue(std::string_view text) { return esc::Value::Number(Secret(text)); }

TEST(CredentialExpiry, Times) {
  for (const char* key : {"expiration", "Expiration", "expiresAt", "expires_at", "expiry",
                          "expire_time", "expires-on", "expirationTime"}) {
    EXPECT_EQ(LeftOf(key, "2026-01-01T01:00:00Z"), 1h) << key;
  }
  EXPECT_EQ(LeftOf("expiration", "2026-01-01T02:00:00.5+01:00"), 1h);
  EXPECT_EQ(LeftOf("expiration", "1767229200"), 1h);
  EXPECT_EQ(LeftOf("expiration", "1767229200000"), 1h);
  EXPECT_EQ(Left(ObjectValue("expires_at", NumberValue("1767229200.25"))), 1h);
}

TEST(CredentialExpiry, Lifetimes) {
  EXPECT_EQ(Left(ObjectValue("lease_duration", NumberValue("2764800"))), 768h);
  EXPECT_EQ(LeftOf("expiresIn", "60"), 60s);
  EXPECT_EQ(LeftOf("expiresIn", "99999999999"), std::nullopt);
}

TEST(CredentialExpiry, TheFirstAnywhere) {
  esc::Value::Object aws;
  aws.emplace_back("expiration", StringValue("2026-01-01T01:00:00Z"));
  esc::Value::Array list;
  list.push_back(ObjectValue("expiry", StringValue("2026-01-01T00:30:00Z")));
  aws.emplace_back("more", esc::Value::MakeArray(std::move(list)));
  EXPECT_EQ(Left(ObjectValue("aws", esc::Value::MakeObject(std::move(aws)))), 30min);
}

TEST(CredentialExpiry, SaysNothing) {
  EXPECT_EQ(LeftOf("expiration", "tomorrow"), std::nullopt);
  EXPECT_EQ(LeftOf("expiration", "2025-12-31T23:59:59Z"), std::nullopt);
  EXPECT_EQ(LeftOf("expiration", "2027-06-01T00:00:00Z"), std::nullopt);
  EXPECT_EQ(LeftOf("expiration", "-5"), std::nullopt);
  EXPECT_EQ(LeftOf("expiration", "9223372036854775807"), std::nullopt);
  EXPECT_EQ(LeftOf("expirations", "2026-01-01T01:00:00Z"), std::nullopt);
  EXPECT_EQ(Left(ObjectValue("expiration", esc::Value::Bool(true))), std::nullopt);
}

}  // namespace
}  // namespace escagent::cache
