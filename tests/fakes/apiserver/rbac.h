#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "tests/fakes/apiserver/authenticator.h"
#include "tests/fakes/apiserver/request_info.h"
#include "tests/fakes/apiserver/store.h"

namespace escagent::apiserver {

// Decides by the (Cluster)Roles and (Cluster)RoleBindings in the store who may do what, as
// rbac.authorization.k8s.io does, without aggregation. system:masters may do everything; who is
// authenticated may read the discovery. Thread-safe.
class Rbac {
 public:
  explicit Rbac(const Store& store) : store_(store) {}
  Rbac(const Rbac&) = delete;
  Rbac& operator=(const Rbac&) = delete;

  // `name` is the object's; of a list or watch the one its field selector admits.
  bool IsAllowed(const User& user, const RequestInfo& request, const std::string& name);

  // The message of the 403: "secrets \"a\" is forbidden: User \"u\" cannot get resource ...".
  static ApiError Denial(const User& user, const RequestInfo& request);

 private:
  struct Rule {
    std::vector<std::string> verbs, groups, resources, names, urls;
  };
  struct Grant {
    std::string name_space;  // empty: everywhere
    nlohmann::json subjects;
    std::vector<Rule> rules;
  };
  using Grants = std::vector<Grant>;

  std::shared_ptr<const Grants> Current();
  void AddBindings(const std::string& table, Grants& grants) const;
  static std::vector<Rule> RulesOf(const Object& role);
  static bool Covers(const Rule& rule, const RequestInfo& request, const std::string& name);
  static bool IsAmong(const nlohmann::json& subjects, const std::string& name_space,
                      const User& user);

  const Store& store_;
  Mutex mutex_;
  std::uint64_t revision_ GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const Grants> grants_ GUARDED_BY(mutex_);
};

}  // namespace escagent::apiserver
