#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "agent/cache/environment_cache.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_esc_api.h"

namespace escagent::cache {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;
using Operation = testing::FakeEscApi::Operation;

inline constexpr char kDev[] = "acme/web/dev";
inline constexpr char kBackend[] = "https://esc.test";

inline Error MakeTestError(Code code, std::chrono::milliseconds retry_after = {}) {
  return Error{.code = code, .message = "ESC says no", .retry_after = retry_after};
}

inline esc::Value StringValue(std::string_view text) { return esc::Value::String(Secret(text)); }

// What ESC answers for a value that it could not evaluate.
inline esc::Value UnknownValue() {
  esc::Value value = StringValue("[unknown]");
  value.set_unknown(true);
  return value;
}

// {key: value}
inline esc::Value ObjectValue(std::string key, esc::Value value) {
  esc::Value::Object members;
  members.emplace_back(std::move(key), std::move(value));
  return esc::Value::MakeObject(std::move(members));
}

// Waits, at most 20 s, until `condition` holds.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// A cache on a FakeClock over a FakeEscApi that has acme/web/dev. No jitter, no max_age.
class CacheTest : public ::testing::Test {
 protected:
  CacheTest() {
    options_.jitter = 0;
    options_.max_age = {.known = 0ms, .dynamic = 0ms, .unknown = 0ms};
    api_->SetEnvironmentJson(kDev, R"({"hello": "world"})");
  }

  EnvironmentCache& cache() {
    if (!cache_) cache_ = std::make_unique<EnvironmentCache>(options_, clock_);
    return *cache_;
  }

  EnvironmentCache::Request Request(const std::string& environment = kDev,
                                    std::function<void()> on_change = {}) {
    return {.key = {.backend = kBackend,
                    .ref = *esc::EnvironmentRef::Parse(environment),
                    .identity = "identity"},
            .api = api_,
            .interval = std::nullopt,
            .on_change = std::move(on_change)};
  }

  Result<Subscription> Subscribe(const std::string& environment = kDev,
                                 std::function<void()> on_change = {}) {
    return cache().Subscribe(Request(environment, std::move(on_change)));
  }

  // Waits until no attempt is queued or under way and the timer has done all that is due.
  // `subscribing`: threads that wait in Subscribe meanwhile.
  [[nodiscard]] bool Settle(std::size_t subscribing = 0) {
    const auto asleep = [&] { return clock_.Sleepers() >= 1 + subscribing; };
    return Eventually([&] { return asleep() && cache().Stats().in_flight == 0 && asleep(); });
  }

  void Advance(std::chrono::milliseconds by) {
    ASSERT_TRUE(Settle());
    clock_.Advance(by);
    ASSERT_TRUE(Settle());
  }

  static std::string Text(const EnvironmentStatus& status, std::string_view key = "hello") {
    if (!status.snapshot) return "(no snapshot)";
    const esc::Value* value = status.snapshot->properties.Find(key);
    return value == nullptr ? "(absent)" : std::string(value->ScalarText());
  }

  testing::FakeClock clock_;
  std::shared_ptr<testing::FakeEscApi> api_ = std::make_shared<testing::FakeEscApi>();
  EnvironmentCache::Options options_;

 private:
  std::unique_ptr<EnvironmentCache> cache_;
};

}  // namespace escagent::cache
