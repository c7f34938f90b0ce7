#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "esc/environment_ref.h"

namespace escagent::cache {

// What one definition says of when the values it opens to can change.
struct DefinitionFacts {
  // The environments that it takes values from: its `imports`, and `${environments.PROJECT.NAME}`
  // anywhere in it. Sorted, each once.
  std::vector<esc::EnvironmentRef> references;
  // It uses fn::open or fn::rotate, whose answers can change without a revision.
  bool dynamic = false;
  // The shortest `duration` given to a provider: what it makes does not live longer.
  std::optional<std::chrono::milliseconds> lifetime;
};

// Reads the facts out of a definition's YAML (reference/esc-api.md (c)). `ref` is whose definition
// it is: names without an organization are of the same one, names without a project of project
// "default". INVALID_ARGUMENT when it is no YAML (base/yaml.h); the message has none of the text.
// What the evaluator would refuse (an import that is no name) is left out: the open tells it.
Result<DefinitionFacts> ReadDefinitionFacts(const esc::EnvironmentRef& ref, std::string_view yaml);

}  // namespace escagent::cache
