#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "tests/fakes/apiserver/handlers.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

json ResourceToJson(const Resource& resource) {
  json entry = {
      {"name", resource.plural},
      {"singularName", resource.singular},
      {"namespaced", resource.namespaced},
      {"kind", resource.kind},
      {"verbs",
       {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}}};
  if (!resource.short_names.empty()) entry["shortNames"] = resource.short_names;
  if (!resource.categories.empty()) entry["categories"] = resource.categories;
  return entry;
}

json SubresourceToJson(const Resource& resource, const std::string& name, const std::string& kind,
                       std::vector<std::string> verbs) {
  return {{"name", resource.plural + "/" + name},
          {"singularName", ""},
          {"namespaced", resource.namespaced},
          {"kind", kind},
          {"verbs", std::move(verbs)}};
}

json ResourceList(const Registry& registry, const std::string& group, const std::string& version) {
  json list = json::array();
  for (const ResourcePtr& resource : registry.All()) {
    if (resource->group != group || resource->version != version) continue;
    list.push_back(ResourceToJson(*resource));
    if (resource->status_subresource) {
      list.push_back(
          SubresourceToJson(*resource, "status", resource->kind, {"get", "patch", "update"}));
    }
    if (group.empty() && resource->plural == "serviceaccounts") {
      list.push_back(SubresourceToJson(*resource, "token", "TokenRequest", {"create"}));
    }
  }
  if (group == "authentication.k8s.io" && version == "v1") {
    list.push_back({{"name", "tokenreviews"},
                    {"singularName", "tokenreview"},
                    {"namespaced", false},
                    {"kind", "TokenReview"},
                    {"verbs", {"create"}}});
  }
  if (group == "authorization.k8s.io" && version == "v1") {
    list.push_back({{"name", "selfsubjectaccessreviews"},
                    {"singularName", "selfsubjectaccessreview"},
                    {"namespaced", false},
                    {"kind", "SelfSubjectAccessReview"},
                    {"verbs", {"create"}}});
  }
  return list;
}

json GroupToJson(const std::string& group, const std::set<std::string>& versions) {
  json list = json::array();
  // "v1" sorts before "v1beta1", as the real server prefers it.
  for (const std::string& version : versions) {
    list.push_back({{"groupVersion", group + "/" + version}, {"version", version}});
  }
  return {{"name", group}, {"versions", list}, {"preferredVersion", list.front()}};
}

std::map<std::string, std::set<std::string>> GroupsOf(const Registry& registry) {
  std::map<std::string, std::set<std::string>> groups;
  groups["authentication.k8s.io"].insert("v1");
  groups["authorization.k8s.io"].insert("v1");
  for (const ResourcePtr& resource : registry.All()) {
    if (!resource->group.empty()) groups[resource->group].insert(resource->version);
  }
  return groups;
}

void SendGroups(Context& context) {
  json groups = json::array();
  for (const auto& [group, versions] : GroupsOf(context.backend.registry)) {
    groups.push_back(GroupToJson(group, versions));
  }
  SendJson(context.response, 200,
           {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}});
}

Done SendResources(Context& context, const std::string& group, const std::string& version) {
  json list = ResourceList(context.backend.registry, group, version);
  if (list.empty()) return Fail(NoSuchResource());
  SendJson(context.response, 200,
           {{"kind", "APIResourceList"},
            {"apiVersion", "v1"},
            {"groupVersion", group.empty() ? version : group + "/" + version},
            {"resources", std::move(list)}});
  return {};
}

Done SendGroup(Context& context, const std::string& group) {
  const auto groups = GroupsOf(context.backend.registry);
  const auto found = groups.find(group);
  if (found == groups.end()) return Fail(NoSuchResource());
  json document = GroupToJson(group, found->second);
  document["kind"] = "APIGroup";
  document["apiVersion"] = "v1";
  SendJson(context.response, 200, document);
  return {};
}

void SendVersion(Context& context) {
  SendJson(context.response, 200,
           {{"major", "1"},
            {"minor", "36"},
            {"gitVersion", "v1.36.0-fake"},
            {"gitCommit", ""},
            {"gitTreeState", "clean"},
            {"buildDate", "1970-01-01T00:00:00Z"},
            {"goVersion", "none"},
            {"compiler", "none"},
            {"platform", "linux/amd64"}});
}

bool IsHealth(const std::string& part) {
  return part == "healthz" || part == "livez" || part == "readyz";
}

}  // namespace

Done HandleDiscovery(Context& context) {
  if (context.http.method != "GET") return Fail(NoSuchResource());
  std::vector<std::string> parts;
  for (const std::string_view part : Split(context.info.path, '/')) {
    if (!part.empty()) parts.emplace_back(part);
  }
  if (parts.size() == 1 && parts[0] == "version") {
    SendVersion(context);
  } else if (parts.size() == 1 && IsHealth(parts[0])) {
    context.response.status = 200;
    context.response.set_content("ok", "text/plain");
  } else if (parts.size() == 1 && parts[0] == "api") {
    SendJson(context.response, 200,
             {{"kind", "APIVersions"},
              {"versions", {"v1"}},
              {"serverAddressByClientCIDRs", json::array()}});
  } else if (parts.size() == 1 && parts[0] == "apis") {
    SendGroups(context);
  } else if (parts.size() == 2 && parts[0] == "api") {
    return SendResources(context, "", parts[1]);
  } else if (parts.size() == 2 && parts[0] == "apis") {
    return SendGroup(context, parts[1]);
  } else if (parts.size() == 3 && parts[0] == "apis") {
    return SendResources(context, parts[1], parts[2]);
  } else {
    return Fail(NoSuchResource());
  }
  return {};
}

}  // namespace escagent::apiserver
