#pragma once

#include <vector>

#include "agent/mirror/external_secret_spec.h"
#include "agent/mirror/spec_reader.h"

namespace escagent::mirror {

// Reads a list of rewrite rules, the field `rewrite` of `fields`.
std::vector<RewriteRule> ReadRewriteRules(const SpecReader& fields);

}  // namespace escagent::mirror
