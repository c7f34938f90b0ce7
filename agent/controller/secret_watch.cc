#include "agent/controller/secret_watch.h"

#include <optional>
#include <utility>

#include "agent/mirror/restart_marks.h"
#include "agent/mirror/target_secret.h"
#include "base/log.h"

namespace escagent::controller {

// The watch of one namespace and what it has seen.
class SecretWatch::Namespace final : public kube::InformerHandler {
 public:
  Namespace(std::string name, const Listener& listener, const MarkedListener& marked)
      : name_(std::move(name)), listener_(listener), marked_(marked) {}

  void OnUpsert(kube::Object object, bool /*in_initial_list*/) override {
    Known known{.name = object.Name(), .uid = object.Uid(), .labels = {}};
    const nlohmann::json::json_pointer labels("/metadata/labels");
    if (object.json().contains(labels)) known.labels = mirror::ReadStringMap(object.json()[labels]);
    std::erase_if(known.labels, [](const auto& label) {
      return !label.first.starts_with(mirror::kReservedPrefix);
    });
    const auto label = known.labels.find(mirror::kCreatedByLabel);
    const std::string created_by = label == known.labels.end() ? "" : label->second;
    const kube::ObjectKey key{name_, known.name};
    {
      MutexLock lock(mutex_);
      secrets_[known.name] = std::move(known);
    }
    listener_(key, object.ResourceVersion(), created_by);
    const nlohmann::json::json_pointer annotations("/metadata/annotations");
    if (marked_ && object.json().contains(annotations) &&
        object.json()[annotations].contains(mirror::kRestartPendingAnnotation)) {
      marked_(key);
    }
  }

  void OnDelete(const kube::ObjectKey& key) override {
    {
      MutexLock lock(mutex_);
      secrets_.erase(key.name);
    }
    listener_(key, "", "");
  }

  void OnSynced() override {}

  void OnHealth(const Status& status) override {
    {
      MutexLock lock(mutex_);
      healthy_ = status.has_value();
    }
    if (!status) {
      LogWarning("changes of mirrored Secrets are not seen at once",
                 {{log_key::kNamespace, name_}, {log_key::kError, status.error()}});
    }
  }

  bool Works() const {
    MutexLock lock(mutex_);
    return healthy_;
  }

  std::vector<Known> CreatedBy(std::string_view hash) const {
    std::vector<Known> found;
    MutexLock lock(mutex_);
    for (const auto& [name, known] : secrets_) {
      const auto label = known.labels.find(mirror::kCreatedByLabel);
      if (label != known.labels.end() && label->second == hash) found.push_back(known);
    }
    return found;
  }

 private:
  const std::string name_;
  const Listener& listener_;
  const MarkedListener& marked_;
  mutable Mutex mutex_;
  std::map<std::string, Known> secrets_ GUARDED_BY(mutex_);
  bool healthy_ GUARDED_BY(mutex_) = true;
};

SecretWatch::SecretWatch(kube::Informers& informers, Listener listener, MarkedListener marked)
    : informers_(informers), listener_(std::move(listener)), marked_(std::move(marked)) {}

// Handles end outside of the lock, as they wait for the handler, whose listener may want it.
SecretWatch::~SecretWatch() {
  std::map<std::string, Entry> gone;
  MutexLock lock(mutex_);
  gone.swap(namespaces_);
}

void SecretWatch::Follow(const std::string& namespace_name) {
  MutexLock lock(mutex_);
  Entry& entry = namespaces_[namespace_name];
  if (entry.handler != nullptr) return;
  entry.handler = std::make_shared<Namespace>(namespace_name, listener_, marked_);
  entry.handle = informers_.Start({.resource = kube::Secrets(),
                                   .namespace_name = namespace_name,
                                   .label_selector = std::string(mirror::kManagedLabel) + "=true",
                                   .field_selector = {},
                                   .metadata_only = true,
                                   // Listing Secrets is a right that the agent does without.
                                   .watch_only = true},
                                  entry.handler);
}

void SecretWatch::Unfollow(const std::string& namespace_name) {
  Entry gone;
  MutexLock lock(mutex_);
  const auto it = namespaces_.find(namespace_name);
  if (it == namespaces_.end()) return;
  gone = std::move(it->second);
  namespaces_.erase(it);
}

bool SecretWatch::Works(const std::string& namespace_name) const {
  MutexLock lock(mutex_);
  const auto it = namespaces_.find(namespace_name);
  return it != namespaces_.end() && it->second.handler->Works();
}

std::vector<SecretWatch::Known> SecretWatch::CreatedBy(const std::string& namespace_name,
                                                       std::string_view hash) const {
  MutexLock lock(mutex_);
  const auto it = namespaces_.find(namespace_name);
  if (it == namespaces_.end()) return {};
  return it->second.handler->CreatedBy(hash);
}

}  // namespace escagent::controller
