#include "agent/mirror/template_reader.h"

#include <utility>

#include "agent/mirror/spec_choices.h"
#include "base/strings.h"

namespace escagent::mirror {
namespace {

TemplateTarget ReadTarget(const SpecReader& fields) {
  const std::string target = fields.Text("target");
  if (target.empty() || EqualsIgnoreCase(target, "Data")) return TemplateTarget::kData;
  if (EqualsIgnoreCase(target, "Annotations")) return TemplateTarget::kAnnotations;
  if (EqualsIgnoreCase(target, "Labels")) return TemplateTarget::kLabels;
  fields.Problem("target", "must be one of Data, Annotations, Labels");
  return TemplateTarget::kData;
}

// templateFrom[].configMap or .secret
TemplateFrom ReadReference(const SpecReader& fields, TemplateFrom::Kind kind) {
  TemplateFrom from;
  from.kind = kind;
  from.name = fields.Text("name");
  if (from.name.empty()) fields.Problem("name", "is required");
  for (const SpecReader& item : fields.MapList("items")) {
    TemplateItem read;
    read.key = item.Text("key");
    if (read.key.empty()) item.Problem("key", "is required");
    read.scope = item.Choice("templateAs", TemplateScope::kValues, kTemplateScopes);
    from.items.push_back(std::move(read));
  }
  if (from.items.empty()) fields.Problem("items", "must name at least one key");
  return from;
}

void ReadTemplateFrom(const SpecReader& fields, std::vector<TemplateFrom>& all) {
  std::vector<TemplateFrom> read;
  if (fields.Has("configMap")) {
    read.push_back(ReadReference(fields.Map("configMap"), TemplateFrom::Kind::kConfigMap));
  }
  if (fields.Has("secret")) {
    read.push_back(ReadReference(fields.Map("secret"), TemplateFrom::Kind::kSecret));
  }
  if (fields.Has("literal")) {
    TemplateFrom literal;
    literal.literal = fields.Text("literal");
    read.push_back(std::move(literal));
  }
  if (read.empty()) fields.Problem("must have one of configMap, secret, literal");
  const TemplateTarget target = ReadTarget(fields);
  const DecodingStrategy decoding =
      fields.Choice("valuesDecodingStrategy", DecodingStrategy::kNone, kDecodingStrategies);
  for (TemplateFrom& from : read) {
    from.target = target;
    from.values_decoding = decoding;
    all.push_back(std::move(from));
  }
}

}  // namespace

SecretTemplate ReadSecretTemplate(const SpecReader& fields) {
  SecretTemplate read;
  read.type = fields.Text("type");
  // Whoever may write an ExternalSecret must not get tokens of the cluster with it
  // (CVE-2026-42876).
  if (read.type == "bootstrap.kubernetes.io/token" ||
      read.type == "kubernetes.io/service-account-token") {
    fields.Problem("type",
                   "\"" + read.type + "\" is not allowed: it would grant access to the cluster");
  }
  const std::string engine = fields.Text("engineVersion");
  if (!engine.empty() && engine != "v2") fields.Problem("engineVersion", "must be v2");
  read.merge_policy =
      fields.Choice("mergePolicy", TemplateMergePolicy::kReplace, kTemplateMergePolicies);
  const SpecReader metadata = fields.Map("metadata");
  read.labels = metadata.TextMap("labels");
  read.annotations = metadata.TextMap("annotations");
  read.finalizers = metadata.TextList("finalizers");
  read.data = fields.TextMap("data");
  for (const SpecReader& from : fields.MapList("templateFrom")) ReadTemplateFrom(from, read.from);
  return read;
}

}  // namespace escagent::mirror
