#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "agent/identity/subject_source.h"
#include "base/mutex.h"
#include "esc/token_exchange.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/fakes/fake_oidc_issuer.h"

namespace escagent::identity {

inline constexpr std::string_view kExchangePath = "/api/oauth/token";
inline constexpr const char* kApiUrl = "https://esc.test/api/esc";
inline constexpr const char* kIssuer = "https://kubernetes.default.svc";

// A subject whose token a test sets.
class FakeSubject final : public SubjectSource {
 public:
  Result<Secret> Get(const std::stop_token&) override {
    MutexLock lock(mutex_);
    if (error_) return std::unexpected(*error_);
    return Secret(std::string_view(token_));
  }
  void Set(std::string_view token) {
    MutexLock lock(mutex_);
    token_ = token;
  }
  void Fail(std::optional<Error> error) {
    MutexLock lock(mutex_);
    error_ = std::move(error);
  }

 private:
  Mutex mutex_;
  std::string token_ GUARDED_BY(mutex_) = "subject-token";
  std::optional<Error> error_ GUARDED_BY(mutex_);
};

class IdentityFixture : public ::testing::Test {
 protected:
  // The next exchanges give this token, until another call.
  void Grant(std::string_view token, int lifetime = 1000) {
    Answer(200, nlohmann::json{{"access_token", token}, {"expires_in", lifetime}}.dump());
  }
  void Deny() { Answer(403, R"({"error_description":"no policy"})"); }
  void BreakDown() { Answer(503, ""); }
  // All exchanges from now on.
  void Answer(int status, std::string_view body, std::vector<HttpHeader> headers = {}) {
    transport_.Forget("POST", kExchangePath);
    transport_.Answer("POST", kExchangePath, status, body, std::move(headers));
  }
  // Exchanges so far.
  std::size_t Exchanges() const { return transport_.Requests().size(); }

  long long Now() const { return std::chrono::system_clock::to_time_t(clock_.WallNow()); }

  // Waits in real time.
  template <class Condition>
  static bool Eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  escagent::testing::FakeClock clock_;
  escagent::testing::FakeHttpTransport transport_;
};

}  // namespace escagent::identity
