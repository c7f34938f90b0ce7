#include "agent/controller/workload.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "agent/mirror/data_hash.h"
#include "agent/mirror/restart_marks.h"
#include "base/json_fields.h"

namespace escagent::controller {
namespace {

using nlohmann::json;
using Names = std::set<std::string, std::less<>>;

// Of the part of an annotation's or label's key behind the "/" (Kubernetes, "Labels and
// Selectors").
constexpr std::size_t kLongestName = 63;

void AddName(const json& reference, Names& names) {
  std::string name = StringMember(reference, "name");
  if (!name.empty()) names.insert(std::move(name));
}

void AddEnvOf(const json& containers, Names& names) {
  if (!containers.is_array()) return;
  for (const json& container : containers) {
    if (const json& env = Member(container, "env"); env.is_array()) {
      for (const json& variable : env) {
        AddName(Member(Member(variable, "valueFrom"), "secretKeyRef"), names);
      }
    }
    if (const json& sources = Member(container, "envFrom"); sources.is_array()) {
      for (const json& source : sources) AddName(Member(source, "secretRef"), names);
    }
  }
}

}  // namespace

std::array<kube::Resource, 3> WorkloadKinds() {
  return {kube::Deployments(), kube::StatefulSets(), kube::DaemonSets()};
}

bool Workload::IsBehind(std::string_view secret, std::string_view value) const {
  const auto annotation = template_annotations.find(RestartedForAnnotation(secret));
  return annotation == template_annotations.end() || annotation->second != value;
}

std::optional<Workload> ReadWorkload(const kube::Resource& resource, const kube::Object& object) {
  const json& metadata = Member(object.json(), "metadata");
  const json& annotations = Member(metadata, "annotations");
  if (StringMember(annotations, mirror::kRestartOnChangeAnnotation) != "true" ||
      !StringMember(metadata, "deletionTimestamp").empty()) {
    return std::nullopt;
  }
  Workload workload{.resource = resource,
                    .key = object.Key(),
                    .uid = object.Uid(),
                    .resource_version = object.ResourceVersion(),
                    .secrets = {},
                    .template_annotations = {}};
  const json& pod = Member(Member(object.json(), "spec"), "template");
  AddEnvOf(Member(Member(pod, "spec"), "containers"), workload.secrets);
  AddEnvOf(Member(Member(pod, "spec"), "initContainers"), workload.secrets);
  workload.template_annotations =
      mirror::ReadStringMap(Member(Member(pod, "metadata"), "annotations"));
  return workload;
}

std::string RestartedForAnnotation(std::string_view secret) {
  const std::string prefix = std::string(mirror::kRestartedForPrefix) + "/";
  if (secret.size() <= kLongestName) return prefix + std::string(secret);
  return prefix + "sha3-" + mirror::Sha3Hex(secret);
}

std::string RestartedForValue(std::string_view secret_uid, std::string_view hash) {
  return mirror::Sha3Hex(std::string(secret_uid) + "/" + std::string(hash));
}

kube::Object RestartPatch(const Workload& workload,
                          const std::map<std::string, std::string>& values) {
  json annotations = json::object();
  for (const auto& [secret, value] : values) annotations[RestartedForAnnotation(secret)] = value;
  return kube::Object(
      json{{"metadata", {{"resourceVersion", workload.resource_version}}},
           {"spec", {{"template", {{"metadata", {{"annotations", std::move(annotations)}}}}}}}});
}

}  // namespace escagent::controller
