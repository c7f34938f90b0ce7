#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace escagent::apiserver {

// The documents of a YAML text as JSON, as sigs.k8s.io/yaml reads them: plain scalars are null,
// booleans, numbers or strings, quoted ones are strings; empty documents are left out; the items of
// a List count each. `what` names the text in the error.
Result<std::vector<nlohmann::json>> YamlToJson(std::string_view text, std::string_view what);

}  // namespace escagent::apiserver
