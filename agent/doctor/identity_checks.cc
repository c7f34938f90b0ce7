#include "agent/doctor/identity_checks.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "agent/doctor/parallel.h"
#include "base/json_fields.h"
#include "esc/environment_ref.h"
#include "esc/token_exchange.h"
#include "kube/access_review.h"

namespace escagent::doctor {
namespace {

using nlohmann::json;

constexpr char kPodTokens[] = "tokens of pods";

// The organizations that a pod's volumes of the driver ask for with the pod's own identity.
std::set<std::string> OrganizationsOf(const json& pod, const std::string& driver) {
  std::set<std::string> organizations;
  for (const json& volume : Member(Member(pod, "spec"), "volumes")) {
    const json& csi = Member(volume, "csi");
    const json& attributes = Member(csi, "volumeAttributes");
    if (StringMember(csi, "driver") != driver || StringMember(attributes, "auth") != "pod") {
      continue;
    }
    const auto ref = esc::EnvironmentRef::Parse(StringMember(attributes, "environment"));
    if (ref) organizations.insert(ref->organization);
  }
  return organizations;
}

// The pods of a node that ask for each organization.
Result<std::map<std::string, std::vector<std::string>>> ReadPods(kube::Api& api,
                                                                 const std::string& driver,
                                                                 const std::string& node,
                                                                 const kube::CallOptions& options) {
  const kube::Resource pods{"", "v1", "pods", "Pod"};
  std::map<std::string, std::vector<std::string>> asking;
  kube::ListOptions list;
  list.field_selector = "spec.nodeName=" + node;
  do {
    ESC_ASSIGN_OR_RETURN(const kube::ListPage page, api.List(pods, list, options));
    for (const kube::Object& pod : page.items) {
      for (const std::string& organization : OrganizationsOf(pod.json(), driver)) {
        asking[organization].push_back(pod.Key().ToString());
      }
    }
    list.continue_token = page.continue_token;
  } while (!list.continue_token.empty());
  return asking;
}

std::string JoinNames(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Findings CheckPodTokens(kube::Api& api, const std::string& driver, const std::string& node,
                        const kube::CallOptions& options) {
  const Result<kube::Object> object = api.Get(kube::CsiDrivers(), {"", driver}, options);
  if (!object) return {};  // told by CheckCsiDriver
  std::set<std::string> audiences;
  for (const json& request : Member(Member(object->json(), "spec"), "tokenRequests")) {
    audiences.insert(StringMember(request, "audience"));
  }
  const std::string sent =
      audiences.empty() ? "kubelet sends none" : "kubelet sends them for " + JoinNames(audiences);
  const auto advice = [&driver](const std::string& audience) {
    return "add {audience: \"" + audience + "\"} to tokenRequests of CSIDriver " + driver +
           " (csiDriver.tokenRequests of the chart)";
  };
  if (node.empty()) return {Skipped(kPodTokens, sent)};
  const auto asking = ReadPods(api, driver, node, options);
  if (!asking) {
    return {
        Skipped(kPodTokens, sent + "; whether pods need them cannot be seen",
                "volumes with auth: pod need them: " + advice(esc::AudienceOf("ORGANIZATION")))};
  }
  Findings findings;
  for (const auto& [organization, pods] : *asking) {
    const std::string audience = esc::AudienceOf(organization);
    if (audiences.contains(audience)) continue;
    const std::string more =
        pods.size() > 1 ? " and " + std::to_string(pods.size() - 1) + " more" : "";
    findings.push_back(Failed(kPodTokens,
                              "pod " + pods.front() + more + " asks for environments of " +
                                  organization + " with its own identity, but " + sent,
                              advice(audience)));
  }
  if (!findings.empty()) return findings;
  if (asking->empty()) return {Skipped(kPodTokens, sent + "; no pod of the node needs them")};
  return {Ok(kPodTokens, sent)};
}

Findings CheckAccountTokens(kube::Api& api, const std::vector<StoreAccount>& stores,
                            const kube::CallOptions& options) {
  std::vector<Finding> findings(stores.size());
  ForEach(stores.size(), [&](std::size_t i) {
    const auto& [store, account] = stores[i];
    const std::string check = "store " + store;
    const Result<bool> allowed = kube::MayI(api,
                                            {.verb = "create",
                                             .group = "",
                                             .resource = "serviceaccounts",
                                             .subresource = "token",
                                             .namespace_name = account.namespace_name,
                                             .name = account.name},
                                            options);
    if (!allowed) {
      findings[i] = Skipped(check, "has oidcConfig; whether the agent may ask for tokens of " +
                                       account.ToString() +
                                       " could not be asked: " + allowed.error().message);
    } else if (*allowed) {
      findings[i] =
          Skipped(check, "has oidcConfig, and tokens of service account " + account.ToString() +
                             " can be had; what ESC says to them is in its condition "
                             "Ready");
    } else {
      findings[i] =
          Failed(check, "no right to create tokens of service account " + account.ToString(),
                 "a Role in namespace " + account.namespace_name +
                     " with create on serviceaccounts/token and resourceNames [" + account.name +
                     "], bound to the agent's account (rbac.extraRules of the chart)");
    }
  });
  return findings;
}

}  // namespace escagent::doctor
