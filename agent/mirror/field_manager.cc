#include "agent/mirror/field_manager.h"

#include "agent/mirror/data_hash.h"
#include "base/json_fields.h"

namespace escagent::mirror {
namespace {

using nlohmann::json;

// The names of the fields of one map.
void AddNames(const json& fields, std::set<std::string, std::less<>>& names) {
  const auto* members = fields.get_ptr<const json::object_t*>();
  if (members == nullptr) return;
  for (const auto& member : *members) {
    constexpr std::string_view kField = "f:";
    if (member.first.starts_with(kField)) names.insert(member.first.substr(kField.size()));
  }
}

}  // namespace

std::string FieldManager(std::string_view external_secret_name) {
  constexpr std::string_view kPrefix = "externalsecrets.external-secrets.io/";
  constexpr std::size_t kLongest = 63;
  if (kPrefix.size() + external_secret_name.size() <= kLongest) {
    return std::string(kPrefix) + std::string(external_secret_name);
  }
  return std::string(kPrefix) + "sha3/" + Sha3Hex(external_secret_name);
}

OwnedFields ReadOwnedFields(const json& managed_fields, std::string_view manager) {
  OwnedFields owned;
  if (!managed_fields.is_array()) return owned;
  for (const json& entry : managed_fields) {
    if (StringMember(entry, "manager") != manager) continue;
    const json& fields = Member(entry, "fieldsV1");
    const json& metadata = Member(fields, "f:metadata");
    AddNames(Member(fields, "f:data"), owned.data);
    AddNames(Member(metadata, "f:labels"), owned.labels);
    AddNames(Member(metadata, "f:annotations"), owned.annotations);
  }
  return owned;
}

}  // namespace escagent::mirror
