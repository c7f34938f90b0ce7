#pragma once

#include <string_view>

#include "base/result.h"

namespace escagent::mirror {

// Rules of Kubernetes for labels and annotations ("Labels and Selectors", "Syntax and character
// set"). They are checked here first because the API server repeats what it refuses, and the value
// of a label that a template made may be a secret.

// An optional DNS prefix and "/", then at most 63 letters, digits, "-", "_", "." that begin and end
// with a letter or digit. The error repeats the key.
Status ValidateMetadataKey(std::string_view key);

// Empty, or at most 63 characters of the same kind. The error names the key only.
Status ValidateLabelValue(std::string_view key, std::string_view value);

}  // namespace escagent::mirror
