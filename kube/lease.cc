#include "kube/lease.h"

#include <utility>

#include "base/json_fields.h"
#include "base/rfc3339.h"

namespace escagent::kube {
namespace {

using nlohmann::json;

Result<std::optional<Lease::Time>> ReadTime(const json& spec, std::string_view key,
                                            const ObjectKey& lease) {
  const std::string text = StringMember(spec, key);
  if (text.empty()) return std::nullopt;
  const std::optional<Lease::Time> time = ParseRfc3339(text);
  if (!time) {
    return InvalidArgument("read Lease " + lease.ToString() + ": spec." + std::string(key) +
                           " is not a time of RFC 3339");
  }
  return time;
}

std::map<std::string, std::string> ReadStrings(const json& metadata, std::string_view key) {
  std::map<std::string, std::string> strings;
  const auto* members = Member(metadata, key).get_ptr<const json::object_t*>();
  if (members == nullptr) return strings;
  for (const auto& [name, value] : *members) {
    if (value.is_string()) strings.emplace(name, value.get_ref<const std::string&>());
  }
  return strings;
}

}  // namespace

Result<Lease> ParseLease(const Object& object) {
  const json& metadata = Member(object.json(), "metadata");
  const json& spec = Member(object.json(), "spec");
  Lease lease;
  lease.key = object.Key();
  lease.resource_version = object.ResourceVersion();
  lease.labels = ReadStrings(metadata, "labels");
  lease.annotations = ReadStrings(metadata, "annotations");
  lease.holder_identity = StringMember(spec, "holderIdentity");
  lease.duration = std::chrono::seconds(IntegerMember(spec, "leaseDurationSeconds"));
  ESC_ASSIGN_OR_RETURN(lease.acquire_time, ReadTime(spec, "acquireTime", lease.key));
  ESC_ASSIGN_OR_RETURN(lease.renew_time, ReadTime(spec, "renewTime", lease.key));
  lease.transitions = IntegerMember(spec, "leaseTransitions");
  return lease;
}

Object ToObject(const Lease& lease) {
  json metadata = {{"name", lease.key.name}, {"namespace", lease.key.namespace_name}};
  if (!lease.resource_version.empty()) metadata["resourceVersion"] = lease.resource_version;
  if (!lease.labels.empty()) metadata["labels"] = lease.labels;
  if (!lease.annotations.empty()) metadata["annotations"] = lease.annotations;
  json spec = {{"leaseTransitions", lease.transitions}};
  if (!lease.holder_identity.empty()) spec["holderIdentity"] = lease.holder_identity;
  if (lease.duration.count() > 0) spec["leaseDurationSeconds"] = lease.duration.count();
  if (lease.acquire_time) spec["acquireTime"] = FormatMicroTime(*lease.acquire_time);
  if (lease.renew_time) spec["renewTime"] = FormatMicroTime(*lease.renew_time);
  const Resource resource = Leases();
  return Object(json{{"apiVersion", resource.ApiVersion()},
                     {"kind", resource.kind},
                     {"metadata", std::move(metadata)},
                     {"spec", std::move(spec)}});
}

}  // namespace escagent::kube
