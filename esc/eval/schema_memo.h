#pragma once

#include <unordered_map>

#include "esc/eval/node.h"
#include "esc/eval/schema.h"

namespace escagent::eval {

// The schemas of values that were asked for before. What a value overrides is part of its schema,
// and many values may stand on the same ones. The nodes must outlive it.
using SchemaMemo = std::unordered_map<const Node*, SchemaPtr>;

// As SchemaOf(node).
SchemaPtr SchemaOf(const Node& node, SchemaMemo& memo);

}  // namespace escagent::eval
