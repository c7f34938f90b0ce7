#pragma once

#include <string>
#include <vector>

#include "agent/mirror/data_hash.h"
#include "agent/mirror/existing_secret.h"
#include "agent/mirror/external_secret.h"
#include "agent/mirror/target_secret.h"
#include "kube/object.h"

namespace escagent::mirror {

// The Secret as it will be after a write: what is wanted, put over what is there. Data is borrowed
// from both of them.
struct SecretState {
  std::string type;
  bool immutable = false;
  StringMap labels;
  StringMap annotations;
  std::vector<OwnerReference> owners;
  std::vector<std::string> finalizers;
  DataView data;
};

// Whether an owner reference names this ExternalSecret. By name, as ESO does: an object that was
// deleted and made again has another uid, and its API version may have changed.
bool IsReferenceTo(const OwnerReference& owner, const ExternalSecret& object);
// Whether it names some ExternalSecret.
bool IsExternalSecret(const OwnerReference& owner);

// What a write makes of `existing` (null: of nothing), by the rules of DecideWrite().
SecretState Compose(const ExternalSecret& object, const TargetSecret& wanted,
                    const ExistingSecret* existing);

// Whether the state is what is there already.
bool SameData(const SecretState& state, const ExistingSecret& existing);
bool SameMetadata(const SecretState& state, const ExistingSecret& existing);

// The v1 Secret for a POST, or for a PUT with the uid and resourceVersion of `existing`.
kube::Object ToObject(const SecretState& state, const TargetSecret& wanted,
                      const ExistingSecret* existing);

}  // namespace escagent::mirror
