#include "agent/store/store_object.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/duration.h"
#include "base/json_fields.h"

namespace escagent::store {
namespace {

using nlohmann::json;

constexpr char kGroup[] = "external-secrets.io";
constexpr char kVersion[] = "v1";

// The document as ParseSecretStore reads it. Scalars keep their text.
YAML::Node ToYaml(const json& document) {
  switch (document.type()) {
    case json::value_t::object: {
      YAML::Node map(YAML::NodeType::Map);
      for (const auto& [key, value] : document.get_ref<const json::object_t&>()) {
        map[key] = ToYaml(value);
      }
      return map;
    }
    case json::value_t::array: {
      YAML::Node list(YAML::NodeType::Sequence);
      for (const json& element : document) list.push_back(ToYaml(element));
      return list;
    }
    case json::value_t::string:
      return YAML::Node(document.get_ref<const std::string&>());
    case json::value_t::boolean:
      return YAML::Node(document.get<bool>() ? "true" : "false");
    case json::value_t::number_integer:
      return YAML::Node(std::to_string(document.get<std::int64_t>()));
    case json::value_t::number_unsigned:
      return YAML::Node(std::to_string(document.get<std::uint64_t>()));
    case json::value_t::number_float:
      return YAML::Node(std::to_string(document.get<double>()));
    default:
      return YAML::Node(YAML::NodeType::Null);
  }
}

Labels ReadLabels(const json& metadata) {
  Labels labels;
  const auto* members = Member(metadata, "labels").get_ptr<const json::object_t*>();
  if (members == nullptr) return labels;
  for (const auto& [key, value] : *members) {
    if (value.is_string()) labels.emplace(key, value.get_ref<const std::string&>());
  }
  return labels;
}

// Whole seconds, or a Go duration as text.
void ReadRefreshInterval(const json& spec, StoreObject& store) {
  const json& field = Member(spec, "refreshInterval");
  if (field.is_null()) return;
  std::optional<std::chrono::milliseconds> interval;
  if (field.is_number_integer()) {
    // In whole seconds a year is enough; more would overflow.
    constexpr std::int64_t kYear = 366LL * 24 * 3600;
    interval = std::chrono::seconds(std::clamp(field.get<std::int64_t>(), std::int64_t{-1}, kYear));
  } else if (field.is_string()) {
    const auto parsed = ParseDuration(field.get_ref<const std::string&>(), "refreshInterval");
    if (parsed) interval = *parsed;
  }
  if (!interval || interval->count() < 0) {
    store.problems.push_back(
        "spec.refreshInterval: must be a number of seconds or a duration such as 5m, not below 0");
    return;
  }
  store.refresh_interval = *interval;
}

// The rules for oidcConfig in the API server, as CheckToken's.
void CheckOidc(StoreObject& store) {
  OidcConfig& oidc = *store.spec.oidc;
  const std::string field = "spec.provider.pulumi.auth.oidcConfig: ";
  if (!oidc.token_file.empty()) {
    store.problems.push_back(field + "tokenFile is for stores in files; use serviceAccountRef");
  }
  if (!oidc.namespace_name.empty()) return;
  if (store.id.kind == StoreKind::kClusterSecretStore) {
    store.problems.push_back(field +
                             "cluster store requires namespace: set serviceAccountRef.namespace");
  }
  oidc.namespace_name = store.id.namespace_name;
}

// Also completes the reference with the store's own namespace.
void CheckToken(StoreObject& store) {
  SecretKeyRef& token = store.spec.token;
  const auto problem = [&store](std::string_view text) {
    store.problems.push_back("spec.provider.pulumi: " + std::string(text));
  };
  if (token.name.empty()) return;  // reported already
  if (token.name.find(':') != std::string::npos) {
    problem("secretRef.name must name a Secret; file: and env: are for stores in files");
    return;
  }
  if (token.key.empty()) problem("secretRef.key is required");
  if (!token.namespace_name.empty()) return;
  if (store.id.kind == StoreKind::kClusterSecretStore) {
    problem("cluster store requires namespace: set secretRef.namespace");
  }
  token.namespace_name = store.id.namespace_name;
}

}  // namespace

const StatusCondition* StoreStatus::Ready() const {
  const auto ready = std::ranges::find(conditions, kReadyCondition, &StatusCondition::type);
  return ready == conditions.end() ? nullptr : &*ready;
}

std::string StoreObject::ProblemText() const {
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "; ") + problem;
  return text;
}

bool StoreObject::SelectsByLabel() const {
  return std::ranges::any_of(spec.conditions, [](const StoreCondition& condition) {
    return condition.namespace_selector.has_value();
  });
}

kube::Resource StoreResource(StoreKind kind) {
  if (kind == StoreKind::kSecretStore) return {kGroup, kVersion, "secretstores", "SecretStore"};
  return {kGroup, kVersion, "clustersecretstores", "ClusterSecretStore", false};
}

kube::ObjectKey StoreKey(const StoreId& id) { return {id.namespace_name, id.name}; }

StoreStatus ReadStoreStatus(const json& object) {
  const json& status = Member(object, "status");
  StoreStatus read;
  read.capabilities = StringMember(status, "capabilities");
  for (const json& condition : Member(status, "conditions")) {
    read.conditions.push_back(
        {.type = StringMember(condition, "type"),
         .status = StringMember(condition, "status"),
         .reason = StringMember(condition, "reason"),
         .message = StringMember(condition, "message"),
         .last_transition_time = StringMember(condition, "lastTransitionTime")});
  }
  return read;
}

StoreObject ParseStoreObject(const kube::Object& object, StoreKind kind,
                             std::string_view controller_class) {
  StoreObject store;
  store.id = {.kind = kind, .namespace_name = object.Namespace(), .name = object.Name()};
  store.uid = object.Uid();
  store.resource_version = object.ResourceVersion();
  store.generation = object.Generation();
  store.labels = ReadLabels(Member(object.json(), "metadata"));
  store.status = ReadStoreStatus(object.json());
  const json& spec = Member(object.json(), "spec");
  store.spec.controller = StringMember(spec, "controller");
  store.ours = (store.spec.controller.empty() || store.spec.controller == controller_class) &&
               !Member(Member(spec, "provider"), "pulumi").is_null();
  if (!store.ours) return store;

  const kube::Resource resource = StoreResource(kind);
  json metadata = {{"name", store.id.name}};
  if (resource.namespaced) metadata["namespace"] = store.id.namespace_name;
  ParsedStore parsed = ParseSecretStore(ToYaml({{"apiVersion", resource.ApiVersion()},
                                                {"kind", resource.kind},
                                                {"metadata", std::move(metadata)},
                                                {"spec", spec}}));
  store.spec = std::move(parsed.spec);
  // ESO's CRD writes it into every store that names none.
  if (store.spec.api_url == kDefaultApiUrl) store.spec.api_url.clear();
  store.problems = std::move(parsed.problems);
  if (store.spec.oidc) {
    CheckOidc(store);
  } else {
    CheckToken(store);
  }
  ReadRefreshInterval(spec, store);
  return store;
}

}  // namespace escagent::store
