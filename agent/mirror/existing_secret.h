#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mirror/field_manager.h"
#include "agent/mirror/secret_data.h"
#include "agent/mirror/string_map.h"
#include "agent/mirror/target_secret.h"
#include "base/result.h"

namespace escagent::mirror {

// A Secret as the API server has it, as far as it is compared or must survive a PUT. Move-only.
struct ExistingSecret {
  std::string uid;
  std::string resource_version;
  std::string type;
  bool immutable = false;
  StringMap labels;
  StringMap annotations;
  std::vector<OwnerReference> owners;
  std::vector<std::string> finalizers;
  SecretData data;
  OwnedFields owned;  // of the field manager that was asked for

  // The owner with controller: true, or null.
  const OwnerReference* Controller() const;
  // Whether it bears our label and the hash of its data: nobody changed it since it was written.
  bool IsIntact() const;
};

// Reads a v1 Secret; `manager` (FieldManager()) selects what is `owned`. INVALID_ARGUMENT without
// uid or resourceVersion, or when data is not base64. The JSON stays the caller's to wipe.
Result<ExistingSecret> ParseExistingSecret(const nlohmann::json& object, std::string_view manager);

}  // namespace escagent::mirror
