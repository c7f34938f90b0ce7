#include "agent/cache/credential_expiry.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/rfc3339.h"

namespace escagent::cache {
namespace {

using WallTime = std::chrono::system_clock::time_point;

constexpr std::array<std::string_view, 6> kTimeMembers = {
    "expiration", "expirationtime", "expiresat", "expireson", "expiry", "expiretime"};
constexpr std::array<std::string_view, 2> kLifetimeMembers = {"expiresin", "leaseduration"};
constexpr std::chrono::hours kFarAway{24 * 365};
// Seconds since 1970 stay below for 3,000 years; milliseconds have been above since 1973.
constexpr std::int64_t kMilliseconds = 100'000'000'000;

std::string Canonical(std::string_view key) {
  std::string name;
  for (const char c : key) {
    if (c != '_' && c != '-')
      name.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return name;
}

// The integer part of a number.
std::optional<std::int64_t> Integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = end == text.data() + text.size() || *end == '.';
  if (error != std::errc() || !whole || number <= 0) return std::nullopt;
  return number;
}

std::optional<WallTime> TimeOf(std::string_view key, const esc::Value& value, WallTime opened) {
  if (value.kind() != esc::Value::Kind::kString && value.kind() != esc::Value::Kind::kNumber) {
    return std::nullopt;
  }
  const std::string name = Canonical(key);
  const std::optional<std::int64_t> number = Integer(value.ScalarText());
  if (std::ranges::find(kLifetimeMembers, name) != kLifetimeMembers.end()) {
    const auto limit = std::chrono::seconds(kFarAway).count();
    if (!number || *number > limit) return std::nullopt;
    return opened + std::chrono::seconds(*number);
  }
  if (std::ranges::find(kTimeMembers, name) == kTimeMembers.end()) return std::nullopt;
  if (!number) return ParseRfc3339(value.ScalarText());
  const std::int64_t seconds = *number >= kMilliseconds ? *number / 1000 : *number;
  if (seconds >= kMilliseconds) return std::nullopt;
  return WallTime(std::chrono::seconds(seconds));
}

void Find(const esc::Value& value, WallTime opened, std::optional<WallTime>& first) {
  for (const esc::Value& element : value.elements()) Find(element, opened, first);
  for (const auto& [key, member] : value.members()) {
    const std::optional<WallTime> time = TimeOf(key, member, opened);
    if (time && *time > opened && *time - opened < kFarAway && (!first || *time < *first)) {
      first = time;
    }
    Find(member, opened, first);
  }
}

}  // namespace

std::optional<WallTime> FindCredentialExpiry(const esc::Value& properties, WallTime opened) {
  std::optional<WallTime> first;
  Find(properties, opened, first);
  return first;
}

}  // namespace escagent::cache
