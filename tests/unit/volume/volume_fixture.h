#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "agent/volume/volume_manager.h"
#include "base/mutex.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_esc_api.h"
#include "tests/fakes/fake_mounter.h"
#include "tests/fakes/fake_store_registry.h"
#include "tests/unit/volume/temp_folder.h"

namespace escagent::volume {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;
using Operation = testing::FakeEscApi::Operation;
using Attributes = std::map<std::string, std::string>;

inline constexpr char kDev[] = "acme/web/dev";
inline constexpr char kProd[] = "acme/web/prod";
// In every value and token: must be in no error, condition or event.
inline constexpr char kCanary[] = "canary-7f3a";

// Waits, at most 20 s, until `condition` holds.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// A VolumeManager on a real cache and a real folder, with fakes for ESC, stores, kernel and clock.
// Store default/app opens acme/web/dev, which has hello and app.user.
class VolumeTest : public ::testing::Test {
 protected:
  VolumeTest() {
    cache_options_.jitter = 0;
    options_.patience = 10s;
    options_.observer = [this](const VolumeEvent& event) {
      MutexLock lock(events_mutex_);
      events_.push_back(event);
    };
    esc_->SetEnvironmentJson(kDev, Json("world"));
    stores_.SetStore("default/app", kDev, Token("1"));
  }

  static std::string Json(const std::string& hello) {
    return R"({"hello": ")" + hello + R"(", "app": {"user": ")" + kCanary + R"("}})";
  }
  static std::string Token(const std::string& which) { return "pul-" + which + kCanary; }

  VolumeManager& manager() {
    if (!manager_) {
      cache_ = std::make_unique<cache::EnvironmentCache>(cache_options_, clock_);
      manager_ = std::make_unique<VolumeManager>(
          options_, stores_, *cache_, mounter_, clock_,
          [this](const store::ResolvedStore&) -> std::shared_ptr<esc::Api> { return esc_; });
    }
    return *manager_;
  }
  // The agent is restarted: all that was in memory is gone, what is mounted stays, served by
  // nobody.
  void RestartAgent(const std::vector<std::string>& targets) {
    manager_.reset();
    cache_.reset();
    for (const std::string& target : targets) mounter_.Kill(target);
  }

  std::string Target(const std::string& name = "mount") const {
    return folder_.path() + "/" + name;
  }
  bool Exists(const std::string& target) const { return std::filesystem::exists(target); }

  csi::PublishRequest Request(const std::string& volume_id = "csi-1",
                              const Attributes& attributes = {{"secretStore", "app"}},
                              const std::string& name = "mount") const {
    csi::PublishRequest request;
    request.received_at = clock_.Now();
    request.volume_id = volume_id;
    request.target_path = Target(name);
    request.pod = {.name = "podinfo",
                   .namespace_name = "default",
                   .uid = "0000-1111",
                   .service_account = "podinfo"};
    request.attributes = attributes;
    request.service_account_tokens = Secret(std::string_view(kCanary));
    return request;
  }

  // Publishes as the CSI server does: again while the answer is "not yet" (but without a pause).
  Status Publish(const csi::PublishRequest& request) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (true) {
      Status status = manager().Publish(request);
      const bool not_yet = !status && status.error().retry_after > 0ms;
      if (!not_yet || std::chrono::steady_clock::now() > deadline) return status;
      std::this_thread::yield();
    }
  }

  // Moves time to the next refresh and lets it happen: `done` holds afterwards.
  bool AdvanceUntil(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      clock_.Advance(500ms);
      std::this_thread::yield();
    }
    return true;
  }

  std::vector<VolumeEvent> Events(VolumeEvent::Kind kind) {
    MutexLock lock(events_mutex_);
    std::vector<VolumeEvent> events;
    for (const VolumeEvent& event : events_) {
      if (event.kind == kind) events.push_back(event);
    }
    return events;
  }
  csi::VolumeStats StatsOf(const std::string& volume_id, const std::string& name = "mount") {
    auto stats = manager().Stats(volume_id, Target(name));
    EXPECT_TRUE(stats) << stats.error().message;
    return stats ? *stats : csi::VolumeStats{};
  }

  const TempFolder folder_;
  testing::FakeClock clock_;
  testing::FakeMounter mounter_;
  testing::FakeStoreRegistry stores_;
  const std::shared_ptr<testing::FakeEscApi> esc_ = std::make_shared<testing::FakeEscApi>();
  Mutex events_mutex_;
  std::vector<VolumeEvent> events_ GUARDED_BY(events_mutex_);
  cache::EnvironmentCache::Options cache_options_;
  VolumeManager::Options options_;
  std::unique_ptr<cache::EnvironmentCache> cache_;
  std::unique_ptr<VolumeManager> manager_;
};

}  // namespace escagent::volume
