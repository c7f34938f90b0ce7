#pragma once

#include "agent/mirror/external_secret_spec.h"
#include "agent/mirror/secret_data.h"
#include "agent/mirror/value_text.h"
#include "base/result.h"

namespace escagent::mirror {

// The rewrite operation `merge`: reads every value as a JSON object and puts their members into
// one, in the order of the keys, those of `priority` last and in its order, so that they win.
// kExtract makes each member a key; kJson keeps the keys and adds one, `into`, with the JSON.
// INVALID_ARGUMENT for a value that is no JSON object, for members that several values have
// (unless ignored) and for a priority key that is not there (unless ignored).
Result<SecretData> MergeObjects(const MergeRewrite& rule, SecretData data, const Compat& compat);

}  // namespace escagent::mirror
