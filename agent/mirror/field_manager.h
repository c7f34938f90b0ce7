#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

namespace escagent::mirror {

// The field manager of writes for one ExternalSecret, the same as ESO's, so that what ESO wrote is
// ours after a takeover: "externalsecrets.external-secrets.io/<name>"; when that is longer than 63
// characters ".../sha3/<hex of the SHA3-224 of the name>".
std::string FieldManager(std::string_view external_secret_name);

// What a field manager owns in a Secret.
struct OwnedFields {
  std::set<std::string, std::less<>> data;
  std::set<std::string, std::less<>> labels;
  std::set<std::string, std::less<>> annotations;
};

// The union of the manager's entries in metadata.managedFields (FieldsV1 of Kubernetes' meta/v1:
// "f:<name>" for a field, "." for the map itself). What is not of that shape is passed over.
OwnedFields ReadOwnedFields(const nlohmann::json& managed_fields, std::string_view manager);

}  // namespace escagent::mirror
