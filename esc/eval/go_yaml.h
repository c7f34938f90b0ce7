#pragma once

#include "base/secret.h"
#include "esc/eval/node.h"

namespace escagent::eval {

// Appends a value as Go's yaml.v3 writes it: block style, four spaces a level, keys in the natural
// order of yaml.v3, strings plain where they are read back as the same string, a newline at the
// end. The value must hold nothing unknown.
void WriteGoYaml(const Node& node, SecretBuilder& out);

}  // namespace escagent::eval
