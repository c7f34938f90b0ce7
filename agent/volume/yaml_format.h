#pragma once

#include "base/secret.h"
#include "esc/value.h"

namespace escagent::volume {

// The value as a YAML document which YAML 1.1 and 1.2 readers read alike: block style, two spaces,
// keys in the value's order. Numbers keep their exact text. A string is plain only when no reader
// takes it for another type (yes, null, 1.0, 2026-01-01 are quoted), a text of several lines is a
// literal block where that keeps it exactly, and double quoted otherwise.
Secret RenderYaml(const esc::Value& value);

}  // namespace escagent::volume
