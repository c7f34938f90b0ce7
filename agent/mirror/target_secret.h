#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/mirror/external_secret.h"
#include "agent/mirror/secret_data.h"
#include "agent/mirror/string_map.h"
#include "base/result.h"

namespace escagent::mirror {

// Marks of a mirrored Secret (eso-compat.md 1.4).
inline constexpr char kManagedLabel[] = "reconcile.external-secrets.io/managed";
inline constexpr char kCreatedByLabel[] = "reconcile.external-secrets.io/created-by";
inline constexpr char kDataHashAnnotation[] = "reconcile.external-secrets.io/data-hash";
inline constexpr char kReservedPrefix[] = "reconcile.external-secrets.io/";

// metadata.ownerReferences[] of meta/v1.
struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  bool controller = false;
  bool block_owner_deletion = false;

  bool operator==(const OwnerReference&) const = default;
};

// The Secret that an ExternalSecret wants. Move-only.
struct TargetSecret {
  std::string namespace_name;
  std::string name;
  std::string type;  // empty: whatever it has, else Opaque
  bool immutable = false;
  StringMap labels;       // with kManagedLabel, and kCreatedByLabel when it is owned
  StringMap annotations;  // without kDataHashAnnotation: what is written decides (secret_diff.h)
  std::vector<std::string> finalizers;
  SecretData data;
  std::optional<OwnerReference> owner;  // with creationPolicy Owner
};

// A ConfigMap or Secret whose keys hold templates, in the ExternalSecret's own namespace.
struct TemplateSourceRef {
  TemplateFrom::Kind kind = TemplateFrom::Kind::kConfigMap;
  std::string name;

  auto operator<=>(const TemplateSourceRef&) const = default;
};

// The ConfigMaps and Secrets that the template of an object needs, without duplicates.
std::vector<TemplateSourceRef> TemplateSourcesOf(const ExternalSecretSpec& spec);

// Their data, as far as they could be read. One that is not here is reported as not found.
using TemplateSources = std::map<TemplateSourceRef, SecretData>;

// Makes the wanted Secret from the fetched data. Without a template the object's own labels and
// annotations are copied; with one its metadata is used and its templates are rendered over the
// fetched data, in ESO's order: templateFrom, template.data, metadata. Fetched keys are kept with
// mergePolicy Merge, and when there is neither data nor templateFrom.
//
// What a template may not do is refused (INVALID_ARGUMENT): types that grant access
// (service-account and bootstrap tokens), labels and annotations under kReservedPrefix, names and
// label values that Kubernetes would refuse with the rendered text in its error. NOT_FOUND for a
// template source or its key. Errors begin "could not apply template" and hold no value.
Result<TargetSecret> BuildTarget(const ExternalSecret& object, SecretData data,
                                 const TemplateSources& sources);

}  // namespace escagent::mirror
