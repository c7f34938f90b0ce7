#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kube/informer.h"

namespace escagent::kube {

// An InformerHandler that keeps what it was told as text, one line a call: "upsert a/b v5 initial",
// "delete a/b", "synced", "health OK", and fails the test when two calls overlap. Thread-safe.
class InformerRecorder final : public InformerHandler {
 public:
  using Lines = std::vector<std::string>;

  void OnUpsert(Object object, bool in_initial_list) override {
    Add("upsert " + object.Key().ToString() + " v" + object.ResourceVersion() +
            (in_initial_list ? " initial" : ""),
        [&] { present_[object.Key()] = object.ResourceVersion(); });
  }
  void OnDelete(const ObjectKey& key) override {
    Add("delete " + key.ToString(), [&] { present_.erase(key); });
  }
  void OnSynced() override { Add("synced"); }
  void OnHealth(const Status& status) override {
    Add("health " + std::string(status ? "OK" : CodeName(status.error().code)),
        [&] { health_ = status; });
  }

  // Waits until the calls so far are `lines`, and returns them (for the test to compare).
  Lines Await(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return lines_.size() >= count; });
    return lines_;
  }
  // The same for what came after the last call of this.
  Lines AwaitNext(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return lines_.size() >= seen_ + count; });
    Lines next(lines_.begin() + static_cast<std::ptrdiff_t>(seen_), lines_.end());
    seen_ = lines_.size();
    return next;
  }
  bool AwaitState(const std::function<bool(const std::map<ObjectKey, std::string>&)>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return condition(present_); });
  }
  std::size_t Count(const std::string& prefix) {
    const std::scoped_lock lock(mutex_);
    std::size_t count = 0;
    for (const std::string& line : lines_) count += line.starts_with(prefix) ? 1U : 0U;
    return count;
  }
  std::string HealthMessage() {
    const std::scoped_lock lock(mutex_);
    return health_ ? "" : health_.error().message;
  }

  // Called within each call, before it is noted.
  std::function<void(const std::string&)> on_call;

 private:
  static constexpr std::chrono::seconds kPatience{20};

  // `note` is called with the lock, before anybody is told.
  void Add(std::string line, const std::function<void()>& note = [] {}) {
    EXPECT_EQ(calls_.fetch_add(1), 0) << "two calls at once";
    if (on_call) on_call(line);
    calls_.fetch_sub(1);
    {
      const std::scoped_lock lock(mutex_);
      lines_.push_back(std::move(line));
      note();
    }
    changed_.notify_all();
  }

  std::atomic<int> calls_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  Lines lines_;
  std::size_t seen_ = 0;
  std::map<ObjectKey, std::string> present_;
  Status health_;
};

}  // namespace escagent::kube
