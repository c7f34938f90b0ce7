#include "tests/fakes/apiserver/rbac.h"

#include <algorithm>
#include <utility>

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr const char* kClusterRoles = "clusterroles.rbac.authorization.k8s.io";
constexpr const char* kRoles = "roles.rbac.authorization.k8s.io";
constexpr const char* kClusterBindings = "clusterrolebindings.rbac.authorization.k8s.io";
constexpr const char* kBindings = "rolebindings.rbac.authorization.k8s.io";

std::vector<std::string> Texts(const json& rule, const char* member) {
  std::vector<std::string> texts;
  for (const json& item : rule.value(member, json::array())) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

bool Has(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool HasOrAll(const std::vector<std::string>& list, const std::string& text) {
  return Has(list, "*") || Has(list, text);
}

bool IsDiscovery(const std::string& path) {
  for (const char* open :
       {"/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz"}) {
    if (path == open || path.starts_with(std::string(open) + "/")) return true;
  }
  return false;
}

}  // namespace

std::vector<Rbac::Rule> Rbac::RulesOf(const Object& role) {
  std::vector<Rule> rules;
  const json document = role.Parse();
  const json list = document.value("rules", json::array());
  for (const json& rule : list) {
    rules.push_back({.verbs = Texts(rule, "verbs"),
                     .groups = Texts(rule, "apiGroups"),
                     .resources = Texts(rule, "resources"),
                     .names = Texts(rule, "resourceNames"),
                     .urls = Texts(rule, "nonResourceURLs")});
  }
  return rules;
}

void Rbac::AddBindings(const std::string& table, Grants& grants) const {
  for (const ObjectPtr& binding : store_.List(table, Selector()).objects) {
    const json document = binding->Parse();
    const json ref = document.value("roleRef", json::object());
    const bool cluster = ref.value("kind", "") == "ClusterRole";
    const ObjectPtr role = store_.Get(cluster ? kClusterRoles : kRoles,
                                      cluster ? "" : binding->name_space(), ref.value("name", ""));
    if (role == nullptr) continue;
    grants.push_back({.name_space = binding->name_space(),
                      .subjects = document.value("subjects", json::array()),
                      .rules = RulesOf(*role)});
  }
}

std::shared_ptr<const Rbac::Grants> Rbac::Current() {
  std::uint64_t revision = 1;
  for (const char* table : {kClusterRoles, kRoles, kClusterBindings, kBindings}) {
    revision = std::max(revision, store_.LastChange(table));
  }
  {
    MutexLock lock(mutex_);
    if (grants_ != nullptr && revision_ == revision) return grants_;
  }
  Grants grants;
  AddBindings(kClusterBindings, grants);
  AddBindings(kBindings, grants);
  auto made = std::make_shared<const Grants>(std::move(grants));
  MutexLock lock(mutex_);
  revision_ = revision;
  grants_ = made;
  return made;
}

bool Rbac::Covers(const Rule& rule, const RequestInfo& request, const std::string& name) {
  if (!HasOrAll(rule.verbs, request.verb)) return false;
  if (!request.is_resource) {
    return std::any_of(rule.urls.begin(), rule.urls.end(), [&](const std::string& url) {
      return url == request.path ||
             (url.ends_with('*') && request.path.starts_with(url.substr(0, url.size() - 1)));
    });
  }
  const bool resource =
      HasOrAll(rule.resources, request.ResourceAndSub()) ||
      (!request.subresource.empty() && Has(rule.resources, "*/" + request.subresource));
  return resource && HasOrAll(rule.groups, request.group) &&
         (rule.names.empty() || Has(rule.names, name));
}

bool Rbac::IsAmong(const json& subjects, const std::string& name_space, const User& user) {
  for (const json& subject : subjects) {
    const std::string kind = subject.value("kind", "");
    const std::string name = subject.value("name", "");
    if (kind == "User" && name == user.name) return true;
    if (kind == "Group" && Has(user.groups, name)) return true;
    if (kind == "ServiceAccount" &&
        user.name ==
            "system:serviceaccount:" + subject.value("namespace", name_space) + ":" + name) {
      return true;
    }
  }
  return false;
}

bool Rbac::IsAllowed(const User& user, const RequestInfo& request, const std::string& name) {
  if (Has(user.groups, "system:masters")) return true;
  if (!request.is_resource && request.verb == "get" && IsDiscovery(request.path) &&
      Has(user.groups, "system:authenticated")) {
    return true;
  }
  // system:basic-user
  if (request.resource == "selfsubjectaccessreviews" && request.verb == "create") return true;
  const auto grants = Current();
  return std::any_of(grants->begin(), grants->end(), [&](const Grant& grant) {
    if (!grant.name_space.empty() && grant.name_space != request.name_space) return false;
    return IsAmong(grant.subjects, grant.name_space, user) &&
           std::any_of(grant.rules.begin(), grant.rules.end(),
                       [&](const Rule& rule) { return Covers(rule, request, name); });
  });
}

ApiError Rbac::Denial(const User& user, const RequestInfo& request) {
  if (!request.is_resource) {
    ApiError error = Forbidden({}, "");
    error.message = "forbidden: User \"" + user.name + "\" cannot " + request.verb + " path \"" +
                    request.path + "\"";
    error.details = json::object();
    return error;
  }
  const ObjectName object{
      .group = request.group, .resource = request.resource, .kind = "", .name = request.name};
  const std::string where = request.name_space.empty()
                                ? " at the cluster scope"
                                : " in the namespace \"" + request.name_space + "\"";
  return Forbidden(object, "User \"" + user.name + "\" cannot " + request.verb + " resource \"" +
                               request.ResourceAndSub() + "\" in API group \"" + request.group +
                               "\"" + where);
}

}  // namespace escagent::apiserver
