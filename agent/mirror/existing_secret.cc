#include "agent/mirror/existing_secret.h"

#include <algorithm>
#include <utility>

#include "agent/mirror/data_hash.h"
#include "agent/mirror/secret_keys.h"
#include "base/json_fields.h"
#include "base/strings.h"

namespace escagent::mirror {
namespace {

using nlohmann::json;

std::vector<OwnerReference> ReadOwners(const json& list) {
  std::vector<OwnerReference> owners;
  if (!list.is_array()) return owners;
  for (const json& owner : list) {
    owners.push_back({.api_version = StringMember(owner, "apiVersion"),
                      .kind = StringMember(owner, "kind"),
                      .name = StringMember(owner, "name"),
                      .uid = StringMember(owner, "uid"),
                      .controller = BoolMember(owner, "controller"),
                      .block_owner_deletion = BoolMember(owner, "blockOwnerDeletion")});
  }
  return owners;
}

Result<SecretData> ReadData(const json& object, const std::string& what) {
  SecretData data;
  const auto* members = object.get_ptr<const json::object_t*>();
  if (members == nullptr) return data;
  for (const auto& [key, value] : *members) {
    const auto* text = value.get_ptr<const json::string_t*>();
    std::optional<Secret> bytes;
    if (text != nullptr) bytes = DecodeBase64(*text);
    // null is what some clients write for an empty value.
    if (value.is_null()) bytes.emplace();
    if (!bytes)
      return InvalidArgument(what + ": the value of key " + QuoteKey(key) + " is not base64");
    data.emplace(key, *std::move(bytes));
  }
  return data;
}

}  // namespace

const OwnerReference* ExistingSecret::Controller() const {
  const auto controller = std::ranges::find(owners, true, &OwnerReference::controller);
  return controller == owners.end() ? nullptr : &*controller;
}

bool ExistingSecret::IsIntact() const {
  const auto managed = labels.find(kManagedLabel);
  const auto hash = annotations.find(kDataHashAnnotation);
  return managed != labels.end() && managed->second == "true" && hash != annotations.end() &&
         hash->second == DataHash(data);
}

Result<ExistingSecret> ParseExistingSecret(const json& object, std::string_view manager) {
  ExistingSecret read;
  const json& metadata = Member(object, "metadata");
  const std::string what =
      "read Secret " + StringMember(metadata, "namespace") + "/" + StringMember(metadata, "name");
  read.uid = StringMember(metadata, "uid");
  read.resource_version = StringMember(metadata, "resourceVersion");
  if (read.uid.empty() || read.resource_version.empty()) {
    return InvalidArgument(what + ": the object has no uid or resourceVersion");
  }
  read.type = StringMember(object, "type");
  read.immutable = BoolMember(object, "immutable");
  read.labels = ReadStringMap(Member(metadata, "labels"));
  read.annotations = ReadStringMap(Member(metadata, "annotations"));
  read.owners = ReadOwners(Member(metadata, "ownerReferences"));
  read.finalizers = StringsMember(metadata, "finalizers");
  ESC_ASSIGN_OR_RETURN(read.data, ReadData(Member(object, "data"), what));
  read.owned = ReadOwnedFields(Member(metadata, "managedFields"), manager);
  return read;
}

}  // namespace escagent::mirror
