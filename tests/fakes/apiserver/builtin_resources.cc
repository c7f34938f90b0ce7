#include "tests/fakes/apiserver/builtin_resources.h"

#include <string>
#include <utility>

namespace escagent::apiserver {
namespace {

using nlohmann::json;

// Values are base64 text.
constexpr const char* kSecret = R"({"type": "object", "properties": {
  "data": {"type": "object", "additionalProperties": {"type": "string", "format": "byte"}},
  "stringData": {"type": "object", "additionalProperties": {"type": "string"}},
  "immutable": {"type": "boolean"}, "type": {"type": "string"}}})";

constexpr const char* kConfigMap = R"({"type": "object", "properties": {
  "data": {"type": "object", "additionalProperties": {"type": "string"}},
  "binaryData": {"type": "object", "additionalProperties": {"type": "string", "format": "byte"}},
  "immutable": {"type": "boolean"}}})";

constexpr const char* kLease = R"({"type": "object", "properties": {"spec": {"type": "object",
  "properties": {
    "holderIdentity": {"type": "string"}, "leaseDurationSeconds": {"type": "integer"},
    "acquireTime": {"type": "string"}, "renewTime": {"type": "string"},
    "leaseTransitions": {"type": "integer"}, "strategy": {"type": "string"},
    "preferredHolder": {"type": "string"}}}}})";

constexpr const char* kEvent = R"({"type": "object", "properties": {
  "involvedObject": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {
    "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "name": {"type": "string"},
    "namespace": {"type": "string"}, "uid": {"type": "string"},
    "resourceVersion": {"type": "string"}, "fieldPath": {"type": "string"}}},
  "reason": {"type": "string"}, "message": {"type": "string"}, "type": {"type": "string"},
  "source": {"type": "object", "properties": {
    "component": {"type": "string"}, "host": {"type": "string"}}},
  "firstTimestamp": {"type": "string", "nullable": true},
  "lastTimestamp": {"type": "string", "nullable": true}, "count": {"type": "integer"},
  "eventTime": {"type": "string", "nullable": true},
  "series": {"type": "object", "properties": {
    "count": {"type": "integer"}, "lastObservedTime": {"type": "string"}}},
  "action": {"type": "string"}, "reportingComponent": {"type": "string"},
  "reportingInstance": {"type": "string"},
  "related": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})";

// PARTS is replaced by the schema of a pod's spec.
constexpr const char* kPodSpec = R"({"type": "object",
  "x-kubernetes-preserve-unknown-fields": true,
  "properties": {"containers": CONTAINERS, "initContainers": CONTAINERS,
    "volumes": {"type": "array", "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object",
        "x-kubernetes-preserve-unknown-fields": true}},
    "imagePullSecrets": {"type": "array", "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object",
        "x-kubernetes-preserve-unknown-fields": true}}}})";

constexpr const char* kContainers = R"({"type": "array", "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object",
    "x-kubernetes-preserve-unknown-fields": true, "properties": {
      "env": {"type": "array", "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object",
          "x-kubernetes-preserve-unknown-fields": true}},
      "volumeMounts": {"type": "array", "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["mountPath"], "items": {"type": "object",
          "x-kubernetes-preserve-unknown-fields": true}}}}})";

constexpr const char* kWorkload = R"({"type": "object", "properties": {
  "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
    "selector": {"type": "object", "x-kubernetes-map-type": "atomic",
      "x-kubernetes-preserve-unknown-fields": true},
    "template": {"type": "object", "properties": {
      "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}}}},
      "spec": PODSPEC}}}},
  "status": STATUS}})";

constexpr const char* kPod = R"({"type": "object",
  "properties": {"spec": PODSPEC, "status": STATUS}})";

constexpr const char* kStatus = R"({"type": "object", "x-kubernetes-preserve-unknown-fields": true,
  "properties": {"conditions": {"type": "array", "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"], "items": {"type": "object",
      "x-kubernetes-preserve-unknown-fields": true}}}})";

constexpr const char* kNamespace = R"({"type": "object", "properties": {
  "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
  "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})";

constexpr const char* kOpen = R"({"type": "object", "x-kubernetes-preserve-unknown-fields": true})";

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string WithPodSpec(const char* text) {
  const std::string pod = Replaced(kPodSpec, "CONTAINERS", kContainers);
  return Replaced(Replaced(text, "PODSPEC", pod), "STATUS", kStatus);
}

ResourcePtr Make(Resource resource, const std::string& schema) {
  resource.storage_version = resource.version;
  if (resource.list_kind.empty()) resource.list_kind = resource.kind + "List";
  for (const char c : resource.kind) {
    resource.singular += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  resource.schema = CompileKindSchema(json::parse(schema)).value();
  return std::make_shared<const Resource>(std::move(resource));
}

Resource Kind(const char* group, const char* version, const char* plural, const char* kind) {
  Resource resource;
  resource.group = group;
  resource.version = version;
  resource.plural = plural;
  resource.kind = kind;
  return resource;
}

Resource Short(Resource resource, const char* name) {
  resource.short_names = {name};
  return resource;
}

Resource ClusterWide(Resource resource) {
  resource.namespaced = false;
  return resource;
}

Resource WithStatus(Resource resource) {
  resource.status_subresource = true;
  return resource;
}

Resource Selectable(Resource resource, std::vector<std::string> fields) {
  resource.selectable_fields = std::move(fields);
  return resource;
}

}  // namespace

std::vector<ResourcePtr> BuiltinResources() {
  const std::string workload = WithPodSpec(kWorkload);
  const std::string pod = WithPodSpec(kPod);
  const char* const rbac = "rbac.authorization.k8s.io";
  std::vector<ResourcePtr> all;
  const auto add = [&](Resource resource, const std::string& schema) {
    all.push_back(Make(std::move(resource), schema));
  };
  add(Short(WithStatus(ClusterWide(Kind("", "v1", "namespaces", "Namespace"))), "ns"), kNamespace);
  add(Selectable(Kind("", "v1", "secrets", "Secret"), {"type"}), kSecret);
  add(Short(Kind("", "v1", "configmaps", "ConfigMap"), "cm"), kConfigMap);
  add(Short(Kind("", "v1", "serviceaccounts", "ServiceAccount"), "sa"), kOpen);
  add(Selectable(
          Short(Kind("", "v1", "events", "Event"), "ev"),
          {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
           "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
           "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"}),
      kEvent);
  add(Selectable(Short(WithStatus(Kind("", "v1", "pods", "Pod")), "po"),
                 {"spec.nodeName", "spec.serviceAccountName", "status.phase"}),
      pod);
  add(Kind("coordination.k8s.io", "v1", "leases", "Lease"), kLease);
  add(Short(WithStatus(Kind("apps", "v1", "deployments", "Deployment")), "deploy"), workload);
  add(Short(WithStatus(Kind("apps", "v1", "statefulsets", "StatefulSet")), "sts"), workload);
  add(Short(WithStatus(Kind("apps", "v1", "daemonsets", "DaemonSet")), "ds"), workload);
  add(ClusterWide(Kind(rbac, "v1", "clusterroles", "ClusterRole")), kOpen);
  add(ClusterWide(Kind(rbac, "v1", "clusterrolebindings", "ClusterRoleBinding")), kOpen);
  add(Kind(rbac, "v1", "roles", "Role"), kOpen);
  add(Kind(rbac, "v1", "rolebindings", "RoleBinding"), kOpen);
  add(Short(WithStatus(ClusterWide(Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                        "CustomResourceDefinition"))),
            "crd"),
      kOpen);
  add(ClusterWide(Kind("storage.k8s.io", "v1", "csidrivers", "CSIDriver")), kOpen);
  add(ClusterWide(Kind("storage.k8s.io", "v1", "csinodes", "CSINode")), kOpen);
  return all;
}

}  // namespace escagent::apiserver
