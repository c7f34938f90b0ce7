#include "agent/mirror/target_secret.h"

#include <algorithm>
#include <utility>

#include "agent/mirror/data_hash.h"
#include "agent/mirror/template_renderer.h"

namespace escagent::mirror {
namespace {

// MaxSecretSize of Kubernetes: all values together.
constexpr std::size_t kMaxDataBytes = std::size_t{1} << 20U;

void CopyUnreserved(const StringMap& from, StringMap& to) {
  for (const auto& [key, value] : from) {
    if (!key.starts_with(kReservedPrefix)) to.emplace(key, value);
  }
}

Status ApplyTemplate(const SecretTemplate& rules, SecretData fetched,
                     const TemplateSources& sources, TargetSecret& target) {
  target.type = rules.type;
  target.finalizers = rules.finalizers;
  {
    TemplateRenderer renderer(fetched, target);
    for (const TemplateFrom& from : rules.from) {
      ESC_RETURN_IF_ERROR(renderer.AddFrom(from, sources));
    }
    ESC_RETURN_IF_ERROR(renderer.AddValues(rules.data, TemplateTarget::kData));
    ESC_RETURN_IF_ERROR(renderer.AddValues(rules.labels, TemplateTarget::kLabels));
    ESC_RETURN_IF_ERROR(renderer.AddValues(rules.annotations, TemplateTarget::kAnnotations));
  }
  const bool has_data = !rules.data.empty() || !rules.from.empty();
  if (!has_data || rules.merge_policy == TemplateMergePolicy::kMerge) {
    // merge() leaves what the template made alone.
    target.data.merge(fetched);
  }
  return {};
}

Status CheckSize(const TargetSecret& target) {
  std::size_t size = 0;
  for (const auto& entry : target.data) size += entry.second.Size();
  if (size <= kMaxDataBytes) return {};
  return InvalidArgument("the Secret would have " + std::to_string(size) +
                         " bytes of data; Kubernetes allows " + std::to_string(kMaxDataBytes));
}

void Mark(const ExternalSecret& object, TargetSecret& target) {
  target.labels.insert_or_assign(kManagedLabel, "true");
  if (object.spec.creation_policy != CreationPolicy::kOwner) return;
  target.labels.insert_or_assign(kCreatedByLabel,
                                 CreatedByHash(object.namespace_name, object.name));
  target.owner = OwnerReference{.api_version = kExternalSecretApiVersion,
                                .kind = kExternalSecretKind,
                                .name = object.name,
                                .uid = object.uid,
                                .controller = true,
                                .block_owner_deletion = true};
}

}  // namespace

std::vector<TemplateSourceRef> TemplateSourcesOf(const ExternalSecretSpec& spec) {
  std::vector<TemplateSourceRef> sources;
  if (spec.secret_template == nullptr) return sources;
  for (const TemplateFrom& from : spec.secret_template->from) {
    if (from.kind != TemplateFrom::Kind::kLiteral) {
      sources.push_back({.kind = from.kind, .name = from.name});
    }
  }
  std::ranges::sort(sources);
  const auto duplicates = std::ranges::unique(sources);
  sources.erase(duplicates.begin(), duplicates.end());
  return sources;
}

Result<TargetSecret> BuildTarget(const ExternalSecret& object, SecretData data,
                                 const TemplateSources& sources) {
  TargetSecret target;
  target.namespace_name = object.namespace_name;
  target.name = object.target_name();
  target.immutable = object.spec.immutable;
  if (object.spec.secret_template == nullptr) {
    CopyUnreserved(object.labels, target.labels);
    CopyUnreserved(object.annotations, target.annotations);
    target.data = std::move(data);
  } else if (Status applied =
                 ApplyTemplate(*object.spec.secret_template, std::move(data), sources, target);
             !applied) {
    return std::unexpected(Annotate(std::move(applied).error(), "could not apply template"));
  }
  ESC_RETURN_IF_ERROR(CheckSize(target));
  Mark(object, target);
  return target;
}

}  // namespace escagent::mirror
