#include "agent/mirror/external_secret.h"

#include <algorithm>
#include <utility>

#include "agent/mirror/ready_condition.h"
#include "agent/mirror/spec_parser.h"
#include "base/json_fields.h"
#include "base/rfc3339.h"

namespace escagent::mirror {
namespace {

using nlohmann::json;

ExternalSecretStatus ReadExternalSecretStatus(const json& status) {
  ExternalSecretStatus read;
  read.conditions = ReadConditions(status);
  // A time that cannot be read counts as none: the object is synced again and gets a good one.
  read.refresh_time = ParseRfc3339(StringMember(status, "refreshTime"));
  read.synced_resource_version = StringMember(status, "syncedResourceVersion");
  read.binding_name = StringMember(Member(status, "binding"), "name");
  return read;
}

Status CheckIdentity(const json& object, const ExternalSecret& read) {
  const std::string version = StringMember(object, "apiVersion");
  const std::string group(kExternalSecretsGroup);
  if (StringMember(object, "kind") != kExternalSecretKind ||
      (version != group + "/v1" && version != group + "/v1beta1")) {
    return InvalidArgument("read ExternalSecret: the object is not one of " + group +
                           "/v1 or v1beta1");
  }
  if (read.namespace_name.empty() || read.name.empty() || read.uid.empty()) {
    return InvalidArgument("read ExternalSecret: the object has no namespace, name or uid");
  }
  return {};
}

}  // namespace

const Condition* ExternalSecretStatus::Ready() const {
  const auto ready = std::ranges::find(conditions, kReadyCondition, &Condition::type);
  return ready == conditions.end() ? nullptr : &*ready;
}

Result<ExternalSecret> ParseExternalSecret(const json& object) {
  ExternalSecret read;
  static_cast<ObjectMeta&>(read) = ReadObjectMeta(object);
  ESC_RETURN_IF_ERROR(CheckIdentity(object, read));
  read.spec = ParseExternalSecretSpec(Member(object, "spec"), read.namespace_name, read.name,
                                      read.spec_problems);
  read.status = ReadExternalSecretStatus(Member(object, "status"));
  return read;
}

}  // namespace escagent::mirror
