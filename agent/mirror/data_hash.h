#pragma once

#include <map>
#include <string>
#include <string_view>

#include "agent/mirror/external_secret.h"
#include "agent/mirror/secret_data.h"

namespace escagent::mirror {

// The hashes that ESO writes into objects: hex of the SHA3-224 of what Go prints for a value
// (eso-compat.md 1.4 and 1.5). Equal ones make an adopted Secret stay untouched.

// Of the data of a Secret, "map[k1:[b1 b2] k2:[]]" with bytes in decimal. For kDataHashAnnotation.
std::string DataHash(const SecretData& data);
// The same of data that lies elsewhere, by key.
using DataView = std::map<std::string_view, std::string_view>;
std::string DataHash(const DataView& data);

// Of "<namespace>/<name>" of the ExternalSecret. For kCreatedByLabel.
std::string CreatedByHash(std::string_view namespace_name, std::string_view name);

// "<generation>-<hash of annotations and labels>": status.syncedResourceVersion of an object that
// was synced as it is now.
std::string SyncedResourceVersion(const ExternalSecret& object);
std::string SyncedResourceVersion(std::int64_t generation, const StringMap& labels,
                                  const StringMap& annotations);

// Lower-case hex of the SHA3-224 (FIPS 202) of a text.
std::string Sha3Hex(std::string_view text);

}  // namespace escagent::mirror
