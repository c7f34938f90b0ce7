#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mirror/push_secret.h"
#include "agent/mirror/secret_data.h"
#include "agent/mirror/target_secret.h"
#include "agent/store/label_selector.h"
#include "agent/store/secret_store.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::mirror {

// One value on its way to a store. Move-only.
struct PushItem {
  std::string secret_key;
  PushTarget target;
  bool reverse_unicode = false;
  Secret value;
};

// A Secret that a PushSecret selects. Borrows the data.
struct PushSource {
  std::string name;
  const SecretData* data = nullptr;
};

// What a PushSecret wants in one store: its data[], and those dataTo[] that mean the store. All of
// a Secret, and all keys of a dataTo with a remoteKey, are items of their own, each with the member
// as `property`: so the status tells exactly what is in the store, and what goes can be removed.
// Without data[] and dataTo[] there are none.
//
// The items are in the order of their paths. INVALID_ARGUMENT, in ESO's words as far as it has any,
// for a key that the Secret lacks, keys that make no path, values that are not UTF-8 and paths that
// two entries write with different values. Messages name keys and paths, never values.
Result<std::vector<PushItem>> PushItemsFor(const PushSecret& push, const store::StoreId& store,
                                           const store::Labels& store_labels,
                                           std::span<const PushSource> sources);

// The data that is pushed instead of a Secret's own when the PushSecret has a template. As for
// ExternalSecrets (BuildTarget), but only its data matters.
Result<SecretData> ApplyPushTemplate(const SecretTemplate& rules, const SecretData& data,
                                     const TemplateSources& sources);

// A key with _U0041_ turned into the character, as ESO's conversion strategy ReverseUnicode.
std::string ReverseUnicode(std::string_view key);

}  // namespace escagent::mirror
