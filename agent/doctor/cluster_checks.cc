#include "agent/doctor/cluster_checks.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/doctor/clock_check.h"
#include "base/json_fields.h"

namespace escagent::doctor {
namespace {

using nlohmann::json;

constexpr char kGroup[] = "external-secrets.io";
constexpr char kInstall[] =
    "install the chart, or kubectl apply --server-side -k manifests, which has it";

// What an object that cannot be read means: it is missing, or nobody can tell.
Finding CannotRead(const std::string& check, const Error& error, const std::string& advice) {
  if (error.code == Code::kNotFound) return Failed(check, error.message, advice);
  if (error.code == Code::kPermissionDenied) {
    return Skipped(check, "this account may not read it",
                   "run doctor with --kubeconfig of an administrator to have it checked");
  }
  return Skipped(check, error.message);
}

bool Lists(const json& list, std::string_view text) {
  return std::ranges::any_of(list, [text](const json& item) { return item == text; });
}

// controller-gen, which wrote the operator's definitions, leaves its version.
std::string OwnerOfKinds(kube::Api& api, const kube::CallOptions& options) {
  const kube::Resource definitions{"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                   "CustomResourceDefinition", false};
  const Result<kube::Object> object =
      api.GetMetadata(definitions, {"", std::string("secretstores.") + kGroup}, options);
  if (!object) return "";
  const json& annotations = Member(Member(object->json(), "metadata"), "annotations");
  return annotations.contains("controller-gen.kubebuilder.io/version")
             ? " (External Secrets Operator's)"
             : " (esc-agent's)";
}

}  // namespace

Findings CheckApiServer(kube::Discovery& discovery, const std::string& server, Clock& clock,
                        const std::stop_token& stop) {
  const Result<kube::Discovery::Version> version = discovery.ReadVersion(stop);
  if (!version) {
    const Code code = version.error().code;
    const bool refused = code == Code::kUnauthenticated || code == Code::kPermissionDenied;
    return {Failed("API server", version.error().message,
                   refused ? "the account's credential: the service account's token, or "
                             "--kubeconfig"
                           : "the way to " + server +
                                 ": network policies, the node's routes, the address in "
                                 "--kubeconfig; volumes that are mounted need no API server")};
  }
  Findings findings = {Ok("API server", "Kubernetes " + version->name + " at " + server)};
  if (auto finding = CheckClock("the API server", version->date, clock.WallNow())) {
    findings.push_back(*std::move(finding));
  }
  return findings;
}

Findings CheckCsiDriver(kube::Api& api, const std::string& driver,
                        const kube::CallOptions& options) {
  const std::string check = "CSIDriver";
  const Result<kube::Object> object = api.Get(kube::CsiDrivers(), {"", driver}, options);
  if (!object) return {CannotRead(check, object.error(), kInstall)};
  const json& spec = Member(object->json(), "spec");
  const std::string edit = "set it in CSIDriver " + driver + "; the chart's has it";
  Findings findings;
  if (!Lists(Member(spec, "volumeLifecycleModes"), "Ephemeral")) {
    findings.push_back(Failed(check, "volumeLifecycleModes has no Ephemeral: pods cannot use it",
                              "delete the object and create it anew, as the field cannot be "
                              "changed; the chart's has it"));
  }
  if (!BoolMember(spec, "podInfoOnMount")) {
    findings.push_back(Failed(check,
                              "podInfoOnMount is not true: the agent is not told whose "
                              "volume it is, and refuses all of them",
                              edit));
  }
  if (!BoolMember(spec, "requiresRepublish")) {
    findings.push_back(
        Warning(check, "requiresRepublish is not true: volumes that broke are not mended", edit));
  }
  const json& attach = Member(spec, "attachRequired");
  if (!attach.is_boolean() || attach.get<bool>()) {
    findings.push_back(Warning(check, "attachRequired is not false",
                               "delete the object and create it anew, as the field cannot be "
                               "changed; the chart's has it"));
  }
  if (findings.empty()) findings.push_back(Ok(check, driver));
  return findings;
}

Finding CheckCsiNode(kube::Api& api, const std::string& node, const std::string& driver,
                     const kube::CallOptions& options) {
  const std::string check = "CSINode";
  if (node.empty()) return Skipped(check, "no agent tells the node's name", "set --node-name");
  const Result<kube::Object> object = api.Get(kube::CsiNodes(), {"", node}, options);
  if (!object) {
    return CannotRead(check, object.error(),
                      "kubelet makes it when it registers a driver; is --node-name kubelet's?");
  }
  const json& drivers = Member(Member(object->json(), "spec"), "drivers");
  const bool listed = std::ranges::any_of(
      drivers, [&](const json& entry) { return StringMember(entry, "name") == driver; });
  if (listed) return Ok(check, "node " + node + " lists " + driver);
  return Failed(check, "node " + node + " does not list " + driver,
                "kubelet has not registered the driver: see kubelet registration, and kubelet's "
                "log");
}

Findings CheckKinds(kube::Discovery& discovery, kube::Api& api, bool needed,
                    const kube::CallOptions& options) {
  const std::string check = "kinds of external-secrets.io";
  if (!needed) return {Skipped(check, "--stores gives the stores, and --mirror is off")};
  const auto v1 = discovery.ReadKinds(kGroup, "v1", options.stop);
  if (!v1) return {Skipped(check, v1.error().message)};
  std::string missing;
  for (const char* kind :
       {"secretstores", "clustersecretstores", "externalsecrets", "clusterexternalsecrets"}) {
    if (std::ranges::find(*v1, kind) == v1->end()) {
      missing += (missing.empty() ? "" : ", ") + std::string(kind);
    }
  }
  if (!missing.empty()) {
    return {Failed(check, "v1 is not served: " + missing,
                   "kubectl apply --server-side -k manifests/crds; or the chart with its CRDs, or "
                   "a newer External Secrets Operator, where its CRDs are used")};
  }
  const auto beta = discovery.ReadKinds(kGroup, "v1beta1", options.stop);
  const auto alpha = discovery.ReadKinds(kGroup, "v1alpha1", options.stop);
  const bool push = alpha && std::ranges::find(*alpha, "pushsecrets") != alpha->end();
  std::string served = "v1";
  if (beta && !beta->empty()) served += ", v1beta1";
  if (push) served += ", v1alpha1 (PushSecret)";
  Findings findings = {Ok(check, "served: " + served + OwnerOfKinds(api, options))};
  if (alpha && !push) {
    findings.push_back(
        Warning(check, "PushSecret (v1alpha1) is not served",
                "where it is wanted: kubectl apply --server-side -k manifests/crds"));
  }
  return findings;
}

}  // namespace escagent::doctor
