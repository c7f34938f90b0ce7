#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "agent/volume/secret_mirror.h"
#include "base/mutex.h"

namespace escagent::testing {

// A SecretMirror in memory. Thread-safe.
class FakeSecretMirror final : public volume::SecretMirror {
 public:
  struct Entry {
    std::map<std::string, std::string> data;
    std::string source;
    std::set<std::string> owners;  // uids of pods
  };

  Status Write(const volume::MirroredSecret& secret, bool, const std::stop_token&) override {
    MutexLock lock(mutex_);
    while (blocked_) unblocked_.Wait(mutex_);
    ++writes_;
    if (error_) return std::unexpected(*error_);
    Entry& entry = secrets_[secret.FullName()];
    entry.source = secret.source;
    entry.owners.insert(secret.pod.uid);
    entry.data.clear();
    for (const auto& [key, value] : secret.data) entry.data[key] = std::string(value.Reveal());
    return {};
  }

  Status Release(const std::string& name, const csi::PodInfo& pod,
                 const std::stop_token&) override {
    MutexLock lock(mutex_);
    ++releases_;
    if (error_) return std::unexpected(*error_);
    const auto entry = secrets_.find(pod.namespace_name + "/" + name);
    if (entry == secrets_.end()) return {};
    entry->second.owners.erase(pod.uid);
    if (entry->second.owners.empty()) secrets_.erase(entry);
    return {};
  }

  // Every call fails from now on, or works again.
  void Fail(std::optional<Error> error) {
    MutexLock lock(mutex_);
    error_ = std::move(error);
  }
  // Writes hang from now on, or go on.
  void Block(bool blocked) {
    MutexLock lock(mutex_);
    blocked_ = blocked;
    unblocked_.NotifyAll();
  }
  std::optional<Entry> Find(const std::string& full_name) const {
    MutexLock lock(mutex_);
    const auto entry = secrets_.find(full_name);
    if (entry == secrets_.end()) return std::nullopt;
    return entry->second;
  }
  // Calls so far, failed ones too.
  int writes() const {
    MutexLock lock(mutex_);
    return writes_;
  }
  int releases() const {
    MutexLock lock(mutex_);
    return releases_;
  }

 private:
  mutable Mutex mutex_;
  CondVar unblocked_;
  bool blocked_ GUARDED_BY(mutex_) = false;
  std::optional<Error> error_ GUARDED_BY(mutex_);
  std::map<std::string, Entry> secrets_ GUARDED_BY(mutex_);
  int writes_ GUARDED_BY(mutex_) = 0;
  int releases_ GUARDED_BY(mutex_) = 0;
};

}  // namespace escagent::testing
