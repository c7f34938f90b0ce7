#pragma once

#include <string>
#include <string_view>

#include "agent/mirror/existing_secret.h"
#include "agent/mirror/external_secret.h"
#include "agent/mirror/target_secret.h"
#include "base/result.h"
#include "kube/object.h"

namespace escagent::mirror {

// Why a Secret is left alone with an error; decides the text of the condition.
enum class RefusalReason {
  kOwnedByAnotherExternalSecret,
  kForeignOwner,
  kImmutable,
  kTypeChange,
  kNotOurs,  // a deletion of what another made
};

// What to do about the target Secret. Move-only.
struct SecretAction {
  enum class Kind {
    kNone,     // as wanted already, or not to be written (creationPolicy None)
    kMissing,  // creationPolicy Merge and there is no Secret
    kCreate,   // POST body
    kUpdate,   // PUT body: the whole object, with the resourceVersion it was compared with
    kDelete,   // DELETE with uid and resource_version as preconditions
    kRefuse,   // error says why
  };
  Kind kind = Kind::kNone;
  kube::Object body;
  std::string uid;
  std::string resource_version;
  // Whether keys or values change, not only metadata: what consumers notice.
  bool data_changed = false;
  RefusalReason reason = RefusalReason::kNotOurs;
  // kRefuse: FAILED_PRECONDITION, which stays until somebody changes something.
  Error error;
};

// Compares a Secret (null: there is none) with what an ExternalSecret wants
// (eso-compat.md 1.2, 1.4, 1.5 and the matrix of policies):
//   * Owner, Orphan: the data becomes the wanted data; what others added is removed.
//   * Merge, CreateOrMerge: wanted keys are set, keys that we set before and do not want any more
//     are removed, all others stay. Merge never creates.
//   * None: nothing.
//   * Labels and annotations: ours (field manager) that are not wanted any more go, others stay.
//   * A Secret whose controller is another ExternalSecret is refused under every policy, one with
//     another controller under Owner. Under other policies an owner reference of ours is removed.
//   * Immutable Secrets keep their data and type; where they differ it is refused. So is another
//     type, which Kubernetes does not allow to change.
// The data hash is that of the data as it will be; a Secret made by ESO that is as wanted gives
// kNone, whatever API version its owner reference names.
SecretAction DecideWrite(const ExternalSecret& object, const TargetSecret& wanted,
                         const ExistingSecret* existing);

// What to do about the target when it is to be deleted (deletionPolicy Delete and nothing left to
// show): kDelete for one that this ExternalSecret made, kNone when there is none, else kRefuse.
SecretAction DecideDeletion(const ExternalSecret& object, const ExistingSecret* existing);

// Whether a Secret with this name and labels was made by the object for a target that has since
// been renamed (or whose creationPolicy is Owner no more): to be deleted.
bool IsOrphan(const ExternalSecret& object, std::string_view secret_name, const StringMap& labels);

}  // namespace escagent::mirror
