#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "esc/api.h"

namespace escagent::testing {

// Stands where the simulation puts it.
class VirtualClock final : public Clock {
 public:
  TimePoint Now() const override { return now; }
  WallTime WallNow() const override {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(now.time_since_epoch()));
  }
  bool SleepUntil(TimePoint, std::stop_token) override { std::abort(); }

  TimePoint now{std::chrono::hours(1000)};
};

// ESC, with environments acme/web/0, 1, ... of one value, their revision. Counts what it is asked
// for, by second.
class PlayedEsc final : public esc::Api {
 public:
  PlayedEsc(const VirtualClock& clock, int environments)
      : revisions(static_cast<std::size_t>(environments), 1), clock_(clock) {}

  Result<esc::OpenSession> Open(const esc::EnvironmentRef& ref, std::chrono::seconds,
                                std::stop_token) override {
    ESC_RETURN_IF_ERROR(Begin());
    return esc::OpenSession{.id = Revision(ref), .warnings = {}};
  }
  Result<esc::Value> ReadSession(const esc::EnvironmentRef&, std::string_view id,
                                 std::stop_token) override {
    ESC_RETURN_IF_ERROR(Begin());
    esc::Value::Object members;
    members.emplace_back("revision", esc::Value::String(Secret(id)));
    return esc::Value::MakeObject(std::move(members));
  }
  Result<esc::EnvironmentHead> Head(const esc::EnvironmentRef& ref, std::stop_token) override {
    ESC_RETURN_IF_ERROR(Begin());
    return esc::EnvironmentHead{.etag = "", .revision = Revision(ref)};
  }
  Result<esc::Definition> GetDefinition(const esc::EnvironmentRef& ref, std::stop_token) override {
    ESC_RETURN_IF_ERROR(Begin());
    return esc::Definition{
        .yaml = Secret(std::string("values: {}")), .etag = "", .revision = Revision(ref)};
  }
  Result<esc::Value> ReadProperty(const esc::EnvironmentRef&, std::string_view, std::string_view,
                                  std::stop_token) override {
    std::abort();
  }
  Result<std::vector<esc::EnvironmentRef>> ReadContributors(const esc::EnvironmentRef&,
                                                            std::string_view,
                                                            std::stop_token) override {
    std::abort();
  }
  Result<esc::Definition> GetDecryptedDefinition(const esc::EnvironmentRef&,
                                                 std::stop_token) override {
    std::abort();
  }
  Result<esc::DefinitionUpdate> UpdateDefinition(const esc::EnvironmentRef&, const Secret&,
                                                 std::string_view, std::stop_token) override {
    std::abort();
  }
  Result<esc::CheckResult> CheckYaml(std::string_view, const Secret&, std::stop_token) override {
    std::abort();
  }

  std::string Revision(const esc::EnvironmentRef& ref) const {
    return std::to_string(
        revisions.at(static_cast<std::size_t>(std::atoi(ref.environment.c_str()))));
  }
  // The requests of the seconds since.
  int Since(Clock::TimePoint from) const {
    int all = 0;
    for (auto it = by_second_.lower_bound(SecondOf(from)); it != by_second_.end(); ++it) {
      all += it->second;
    }
    return all;
  }
  int PeakSince(Clock::TimePoint from) const {
    int peak = 0;
    for (auto it = by_second_.lower_bound(SecondOf(from)); it != by_second_.end(); ++it) {
      peak = std::max(peak, it->second);
    }
    return peak;
  }

  std::vector<int> revisions;
  bool down = false;

 private:
  static long SecondOf(Clock::TimePoint time) {
    return static_cast<long>(
        std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
  }
  Status Begin() {
    ++by_second_[SecondOf(clock_.now)];
    if (down) return Unavailable("away");
    return {};
  }

  const VirtualClock& clock_;
  std::map<long, int> by_second_;
};

}  // namespace escagent::testing
