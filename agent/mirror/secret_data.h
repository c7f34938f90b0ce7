#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/mirror/external_secret_spec.h"
#include "agent/mirror/value_text.h"
#include "agent/store/secret_store.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/value.h"

namespace escagent::mirror {

// The data of a Kubernetes Secret: its keys and their bytes.
using SecretData = std::map<std::string, Secret, std::less<>>;

// The opened environment of a store: its properties, valid until CollectData() returns. An error
// means that the environment could not be had; it is passed on.
using SourceFor = std::function<Result<const esc::Value*>(const store::StoreId&)>;

// What the entries of an ExternalSecret give: dataFrom in order, later ones over earlier ones, then
// data over them (eso-compat.md 1.3). Keys are property paths (remote_path.h); each dataFrom entry
// is fetched, then rewritten or else converted, checked, decoded.
//
// Property paths that lead nowhere are an error with deletionPolicy Retain. With Delete and Merge
// the entry is left out, and described in `missing` (may be null) for an event: the environment
// could be read, and the property is not in it. (ESO means to do so, but its provider never tells.)
//
// Errors read "error processing spec.dataFrom[0].extract (key: app), err: <cause>" and hold no
// value: NOT_FOUND for paths, INVALID_ARGUMENT for what does not fit (keys, encodings, rewrites,
// types), FAILED_PRECONDITION for values that ESC does not know, and SourceFor's errors.
Result<SecretData> CollectData(const ExternalSecretSpec& spec, const SourceFor& source_for,
                               const Compat& compat, std::vector<std::string>* missing = nullptr);

}  // namespace escagent::mirror
