#pragma once

#include <string>
#include <vector>

#include "agent/mirror/strategies.h"
#include "agent/mirror/string_map.h"

namespace escagent::mirror {

// spec.target.template of an ExternalSecret: how the Secret looks (engine v2, Go templates). Also
// that of a PushSecret. Plain data; external-secrets.io's field names are in eso-compat.md 1.2.

enum class TemplateMergePolicy {
  kReplace,  // only what the template makes
  kMerge,    // and the fetched keys
};

// Where the output of templateFrom goes.
enum class TemplateTarget { kData, kAnnotations, kLabels };

enum class TemplateScope {
  kValues,         // the output is the value of the item's key
  kKeysAndValues,  // the output is a YAML mapping of keys to values
};

struct TemplateItem {
  std::string key;
  TemplateScope scope = TemplateScope::kValues;
};

// One source of templates. An element of templateFrom that names several becomes several of these,
// in ESO's order: config map, secret, literal.
struct TemplateFrom {
  enum class Kind { kConfigMap, kSecret, kLiteral };
  Kind kind = Kind::kLiteral;
  std::string name;                 // of the ConfigMap or Secret, in the object's own namespace
  std::vector<TemplateItem> items;  // its keys that hold templates
  std::string literal;
  TemplateTarget target = TemplateTarget::kData;
  // Applied to each value that is written to data.
  DecodingStrategy values_decoding = DecodingStrategy::kNone;
};

struct SecretTemplate {
  std::string type;  // empty: not set
  TemplateMergePolicy merge_policy = TemplateMergePolicy::kReplace;
  StringMap labels;       // values are templates
  StringMap annotations;  // values are templates
  std::vector<std::string> finalizers;
  StringMap data;  // values are templates
  std::vector<TemplateFrom> from;
};

}  // namespace escagent::mirror
