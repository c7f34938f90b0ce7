#pragma once

#include "agent/mirror/secret_template.h"
#include "agent/mirror/spec_reader.h"

namespace escagent::mirror {

// Reads a `template` of an ExternalSecret or PushSecret. Types and targets that are refused
// (eso-compat.md 1.2 and section 3) are problems.
SecretTemplate ReadSecretTemplate(const SpecReader& fields);

}  // namespace escagent::mirror
