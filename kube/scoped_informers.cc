#include "kube/scoped_informers.h"

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace escagent::kube {
namespace {

// One informer to its handler, and several to those who tell it. They call on many threads: one of
// these passes on what all of them bring, the others leave theirs to it and go.
class Joint {
 public:
  Joint(std::set<std::string> namespaces, std::shared_ptr<InformerHandler> handler)
      : handler_(std::move(handler)), awaited_(std::move(namespaces)) {}

  void Upsert(Object object, bool in_initial_list) EXCLUDES(mutex_) {
    Pass([this, object = std::move(object), in_initial_list]() mutable {
      handler_->OnUpsert(std::move(object), in_initial_list);
    });
  }
  void Delete(const ObjectKey& key) EXCLUDES(mutex_) {
    Pass([this, key] { handler_->OnDelete(key); });
  }
  void Synced(const std::string& namespace_name) EXCLUDES(mutex_) {
    Pass([this, namespace_name] { NoteSynced(namespace_name); });
  }
  void Health(const std::string& namespace_name, const Status& status) EXCLUDES(mutex_) {
    Pass([this, namespace_name, status] { NoteHealth(namespace_name, status); });
  }
  // No call begins any more. One may be running, on a thread of one of the informers.
  void End() EXCLUDES(mutex_) {
    std::deque<Call> dropped;  // outlives the lock
    MutexLock lock(mutex_);
    ended_ = true;
    dropped.swap(calls_);
  }

 private:
  using Call = std::move_only_function<void()>;

  void Pass(Call call) EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (ended_) return;
      calls_.push_back(std::move(call));
      if (std::exchange(passing_, true)) return;
    }
    while (Call next = Next()) next();
  }
  Call Next() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (calls_.empty()) {
      passing_ = false;
      return {};
    }
    Call next = std::move(calls_.front());
    calls_.pop_front();
    return next;
  }

  // The rest is called by who passes on, so by one thread at a time.
  void NoteSynced(const std::string& namespace_name) {
    if (awaited_.erase(namespace_name) > 0 && awaited_.empty()) handler_->OnSynced();
  }
  void NoteHealth(const std::string& namespace_name, const Status& status) {
    if (status) {
      faults_.erase(namespace_name);
    } else {
      faults_.insert_or_assign(namespace_name, status);
    }
    handler_->OnHealth(status && !faults_.empty() ? faults_.begin()->second : status);
    if (!status && status.error().code == Code::kPermissionDenied) NoteSynced(namespace_name);
  }

  const std::shared_ptr<InformerHandler> handler_;
  std::set<std::string> awaited_;  // namespaces that have not been read yet
  std::map<std::string, Status> faults_;
  Mutex mutex_;
  std::deque<Call> calls_ GUARDED_BY(mutex_);
  bool passing_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;
};

// Tells what one namespace's informer tells.
class Part final : public InformerHandler {
 public:
  Part(std::string namespace_name, std::shared_ptr<Joint> joint)
      : namespace_name_(std::move(namespace_name)), joint_(std::move(joint)) {}

  void OnUpsert(Object object, bool in_initial_list) override {
    joint_->Upsert(std::move(object), in_initial_list);
  }
  void OnDelete(const ObjectKey& key) override { joint_->Delete(key); }
  void OnSynced() override { joint_->Synced(namespace_name_); }
  void OnHealth(const Status& status) override { joint_->Health(namespace_name_, status); }

 private:
  const std::string namespace_name_;
  const std::shared_ptr<Joint> joint_;
};

class JointHandle final : public InformerHandle::Impl {
 public:
  JointHandle(std::shared_ptr<Joint> joint, std::vector<InformerHandle> parts)
      : joint_(std::move(joint)), parts_(std::move(parts)) {}
  // The end of a part waits for what runs on its thread.
  ~JointHandle() override { joint_->End(); }

 private:
  const std::shared_ptr<Joint> joint_;
  std::vector<InformerHandle> parts_;
};

}  // namespace

ScopedInformers::ScopedInformers(NamespaceScope scope, Informers& informers)
    : scope_(std::move(scope)), informers_(informers) {}

InformerHandle ScopedInformers::Start(Selection selection,
                                      std::shared_ptr<InformerHandler> handler) {
  const bool is_narrower = !selection.resource.namespaced || !selection.namespace_name.empty();
  if (scope_.IsAll() || is_narrower) {
    return informers_.Start(std::move(selection), std::move(handler));
  }
  const auto joint = std::make_shared<Joint>(scope_.names(), std::move(handler));
  std::vector<InformerHandle> parts;
  for (const std::string& name : scope_.names()) {
    selection.namespace_name = name;
    parts.push_back(informers_.Start(selection, std::make_shared<Part>(name, joint)));
  }
  return InformerHandle(std::make_unique<JointHandle>(joint, std::move(parts)));
}

}  // namespace escagent::kube
