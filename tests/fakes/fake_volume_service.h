#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "csi/volume_service.h"

namespace escagent::testing {

// A VolumeService whose volumes are empty folders: it makes and removes the target folders and
// keeps the rules of idempotency, but mounts nothing. Failures are injected, and publishes can be
// held up. Thread-safe.
class FakeVolumeService final : public csi::VolumeService {
 public:
  // A publish request as it arrived, with its secrets laid open.
  struct Published {
    std::string volume_id;
    std::string target_path;
    std::chrono::steady_clock::time_point received_at;
    csi::PodInfo pod;
    std::map<std::string, std::string> attributes;
    std::string volume_mount_group;
    std::vector<std::string> mount_flags;
    std::string service_account_tokens;
    std::map<std::string, std::string> secrets;
  };

  Status Publish(const csi::PublishRequest& request) override {
    MutexLock lock(mutex_);
    requests_.push_back(Open(request));
    ++publishing_;
    max_publishing_ = std::max(max_publishing_, publishing_);
    changed_.NotifyAll();
    while (held_) changed_.Wait(mutex_);
    --publishing_;
    if (publish_error_) return std::unexpected(*publish_error_);
    const auto store = request.attributes.find("secretStore");
    if (store != request.attributes.end() && store->second == failing_store_) {
      return std::unexpected(*store_error_);
    }
    return Add(request);
  }

  Status Unpublish(const std::string& volume_id, const std::string& target_path) override {
    MutexLock lock(mutex_);
    if (unpublish_error_) return std::unexpected(*unpublish_error_);
    volumes_.erase(volume_id);
    if (rmdir(target_path.c_str()) != 0 && errno != ENOENT) {
      return ErrnoError(errno, "remove " + target_path);
    }
    return {};
  }

  Result<csi::VolumeStats> Stats(const std::string& volume_id,
                                 const std::string& volume_path) override {
    MutexLock lock(mutex_);
    const auto it = volumes_.find(volume_id);
    if (it == volumes_.end() || it->second.target_path != volume_path) {
      return NotFound("volume " + volume_id + " is not published at " + volume_path);
    }
    return stats_;
  }

  Status Healthy() override {
    MutexLock lock(mutex_);
    if (health_error_) return std::unexpected(*health_error_);
    return {};
  }

  void FailPublish(std::optional<Error> error) {
    MutexLock lock(mutex_);
    publish_error_ = std::move(error);
  }
  // Only publishes whose attribute secretStore is `store` fail.
  void FailStore(std::string store, Error error) {
    MutexLock lock(mutex_);
    failing_store_ = std::move(store);
    store_error_ = std::move(error);
  }
  void HealStore() {
    MutexLock lock(mutex_);
    failing_store_.clear();
  }
  void FailUnpublish(std::optional<Error> error) {
    MutexLock lock(mutex_);
    unpublish_error_ = std::move(error);
  }
  void FailHealth(std::optional<Error> error) {
    MutexLock lock(mutex_);
    health_error_ = std::move(error);
  }
  void SetStats(csi::VolumeStats stats) {
    MutexLock lock(mutex_);
    stats_ = std::move(stats);
  }

  // While held, Publish does not return.
  void HoldPublishes(bool held) {
    MutexLock lock(mutex_);
    held_ = held;
    changed_.NotifyAll();
  }
  // Whether `count` publishes were under way at once before `patience` was over.
  bool AwaitPublishing(std::size_t count,
                       std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    MutexLock lock(mutex_);
    while (publishing_ < count) {
      if (!changed_.WaitUntil(mutex_, deadline)) return publishing_ >= count;
    }
    return true;
  }

  // Waits, at most 10 s, until Publish was called for `count` different volumes.
  bool AwaitVolumesAsked(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    MutexLock lock(mutex_);
    while (true) {
      std::set<std::string> ids;
      for (const Published& request : requests_) ids.insert(request.volume_id);
      if (ids.size() >= count) return true;
      if (!changed_.WaitUntil(mutex_, deadline)) return false;
    }
  }

  std::vector<Published> Requests() const {
    MutexLock lock(mutex_);
    return requests_;
  }
  std::size_t VolumeCount() const {
    MutexLock lock(mutex_);
    return volumes_.size();
  }
  std::size_t MaxPublishing() const {
    MutexLock lock(mutex_);
    return max_publishing_;
  }

 private:
  static Published Open(const csi::PublishRequest& request) {
    Published opened{.volume_id = request.volume_id,
                     .target_path = request.target_path,
                     .received_at = request.received_at,
                     .pod = request.pod,
                     .attributes = request.attributes,
                     .volume_mount_group = request.volume_mount_group,
                     .mount_flags = request.mount_flags,
                     .service_account_tokens = std::string(request.service_account_tokens.Reveal()),
                     .secrets = {}};
    for (const auto& [key, value] : request.secrets) opened.secrets.emplace(key, value.Reveal());
    return opened;
  }

  Status Add(const csi::PublishRequest& request) REQUIRES(mutex_) {
    if (const auto it = volumes_.find(request.volume_id); it != volumes_.end()) {
      if (it->second.target_path != request.target_path) {
        return FailedPrecondition("volume " + request.volume_id + " is published elsewhere");
      }
      if (it->second.attributes != request.attributes) {
        return MakeError(Code::kAlreadyExists,
                         "volume " + request.volume_id + " is published with other attributes");
      }
      return {};
    }
    if (mkdir(request.target_path.c_str(), 0750) != 0 && errno != EEXIST) {
      return ErrnoError(errno, "make " + request.target_path);
    }
    volumes_.emplace(request.volume_id, Open(request));
    return {};
  }

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, Published> volumes_ GUARDED_BY(mutex_);
  std::vector<Published> requests_ GUARDED_BY(mutex_);
  std::optional<Error> publish_error_ GUARDED_BY(mutex_);
  std::string failing_store_ GUARDED_BY(mutex_);
  std::optional<Error> store_error_ GUARDED_BY(mutex_);
  std::optional<Error> unpublish_error_ GUARDED_BY(mutex_);
  std::optional<Error> health_error_ GUARDED_BY(mutex_);
  csi::VolumeStats stats_ GUARDED_BY(mutex_){.used_bytes = 10,
                                             .total_bytes = 10,
                                             .used_inodes = 2,
                                             .total_inodes = 2,
                                             .abnormal = false,
                                             .condition = "mounted"};
  bool held_ GUARDED_BY(mutex_) = false;
  std::size_t publishing_ GUARDED_BY(mutex_) = 0;
  std::size_t max_publishing_ GUARDED_BY(mutex_) = 0;
};

}  // namespace escagent::testing
