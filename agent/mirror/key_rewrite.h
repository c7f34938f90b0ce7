#pragma once

#include <span>

#include "agent/mirror/external_secret_spec.h"
#include "agent/mirror/secret_data.h"
#include "base/result.h"

namespace escagent::mirror {

// Applies dataFrom[].rewrite[] in order (eso-compat.md 1.2, 1.3).
//
//   regexp     each key with every match of `source` replaced by `target`, in which $1, ${1} and
//              ${name} stand for groups and $$ for $, as in Go's regexp.Expand
//   transform  each key as a Go template over .value, the key
//   merge      see merge_rewrite.h
//
// Two keys that become one are an error unless their values are equal: which of them ESO keeps is
// chance. INVALID_ARGUMENT begins "failed rewrite operation[0]: " and holds keys, never values.
Result<SecretData> Rewrite(std::span<const RewriteRule> rules, SecretData data,
                           const Compat& compat);

}  // namespace escagent::mirror
