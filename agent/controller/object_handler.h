#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/log.h"
#include "kube/informer.h"

namespace escagent::controller {

// The handler of a controller's informer: passes objects on, and logs when they cannot be followed.
class ObjectHandler final : public kube::InformerHandler {
 public:
  struct Callbacks {
    std::function<void(const kube::Object& object, bool in_initial_list)> on_object;
    std::function<void(const kube::ObjectKey& key)> on_gone;
  };

  // `kind` as people say it: "ExternalSecrets".
  ObjectHandler(const std::string& kind, Callbacks callbacks)
      : complaint_("cannot follow " + kind), callbacks_(std::move(callbacks)) {}

  void OnUpsert(kube::Object object, bool in_initial_list) override {
    callbacks_.on_object(object, in_initial_list);
  }
  void OnDelete(const kube::ObjectKey& key) override { callbacks_.on_gone(key); }
  void OnSynced() override {}
  void OnHealth(const Status& status) override {
    if (!status) LogWarning(complaint_, {{log_key::kError, status.error()}});
  }

 private:
  const std::string complaint_;
  const Callbacks callbacks_;
};

}  // namespace escagent::controller
