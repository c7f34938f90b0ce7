#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "tests/fakes/apiserver/resource.h"

namespace escagent::apiserver {

// The kinds that the server has: the built-in ones, and one for each served version of the
// CustomResourceDefinitions that were added. Thread-safe.
class Registry {
 public:
  Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Null when there is none.
  ResourcePtr Find(const std::string& group, const std::string& version,
                   const std::string& plural) const;
  // By the kind of an object's ("apps/v1", "Deployment"). Null when there is none.
  ResourcePtr FindKind(const std::string& api_version, const std::string& kind) const;
  std::vector<ResourcePtr> All() const;

  // Adds or replaces the versions of a CustomResourceDefinition (apiextensions.k8s.io/v1).
  Status AddCrd(const nlohmann::json& crd);
  void RemoveCrd(const nlohmann::json& crd);

 private:
  mutable Mutex mutex_;
  // By "group/version/plural".
  std::map<std::string, ResourcePtr, std::less<>> resources_ GUARDED_BY(mutex_);
};

}  // namespace escagent::apiserver
