#include "agent/mirror/template_renderer.h"

#include <utility>

#include "agent/mirror/decoding.h"
#include "agent/mirror/object_names.h"
#include "agent/mirror/secret_keys.h"
#include "base/yaml.h"

namespace escagent::mirror {
namespace {

std::string_view KindName(TemplateFrom::Kind kind) {
  return kind == TemplateFrom::Kind::kSecret ? "secret" : "configmap";
}

Result<std::string_view> FindTemplate(const TemplateFrom& from, const std::string& key,
                                      const TemplateSources& sources) {
  const auto source = sources.find(TemplateSourceRef{.kind = from.kind, .name = from.name});
  if (source == sources.end()) {
    return NotFound(std::string(KindName(from.kind)) + " " + from.name +
                    ", which templateFrom names, was not found");
  }
  const auto text = source->second.find(key);
  if (text == source->second.end()) {
    return NotFound("error in " + std::string(KindName(from.kind)) + " " + from.name +
                    ": missing key " + QuoteKey(key));
  }
  return text->second.Reveal();
}

Status CheckMetadataKey(const std::string& key) {
  if (key.starts_with(kReservedPrefix)) {
    return InvalidArgument(QuoteKey(key) + " is reserved and must not be set by a template");
  }
  return ValidateMetadataKey(key);
}

}  // namespace

TemplateRenderer::TemplateRenderer(const SecretData& fetched, TargetSecret& target)
    : target_(target) {
  for (const auto& [key, value] : fetched) fields_.emplace(key, value.Reveal());
}

Status TemplateRenderer::AddFrom(const TemplateFrom& from, const TemplateSources& sources) {
  if (from.kind == TemplateFrom::Kind::kLiteral) return AddMapping("literal", from.literal, from);
  for (const TemplateItem& item : from.items) {
    ESC_ASSIGN_OR_RETURN(const std::string_view text, FindTemplate(from, item.key, sources));
    if (item.scope == TemplateScope::kKeysAndValues) {
      ESC_RETURN_IF_ERROR(AddMapping(item.key, text, from));
    } else {
      ESC_RETURN_IF_ERROR(AddValue(item.key, text, from.target, from.values_decoding));
    }
  }
  return {};
}

Status TemplateRenderer::AddValues(const StringMap& templates, TemplateTarget target) {
  for (const auto& [key, text] : templates) {
    ESC_RETURN_IF_ERROR(AddValue(key, text, target, DecodingStrategy::kNone));
  }
  return {};
}

Status TemplateRenderer::AddValue(const std::string& key, std::string_view text,
                                  TemplateTarget target, DecodingStrategy decoding) {
  auto rendered = gotemplate::Render(key, text, fields_);
  if (!rendered) {
    return std::unexpected(Annotate(std::move(rendered).error(),
                                    "unable to execute template at key " + QuoteKey(key)));
  }
  return Put(key, *std::move(rendered), target, decoding);
}

Status TemplateRenderer::AddMapping(const std::string& name, std::string_view text,
                                    const TemplateFrom& from) {
  auto rendered = gotemplate::Render(name, text, fields_);
  if (!rendered) {
    return std::unexpected(
        Annotate(std::move(rendered).error(), "unable to execute template " + QuoteKey(name)));
  }
  const std::string what = "the output of template " + QuoteKey(name);
  ESC_ASSIGN_OR_RETURN(const YAML::Node mapping, ParseYaml(rendered->Reveal(), what));
  if (mapping.IsNull()) return {};
  if (!mapping.IsMap()) {
    return InvalidArgument(what + " is not a YAML mapping of keys to values");
  }
  for (const auto& entry : mapping) {
    const bool is_text =
        entry.first.IsScalar() && (entry.second.IsScalar() || entry.second.IsNull());
    if (!is_text) {
      return InvalidArgument(what + " has a value that is no text: only scalars can be values");
    }
    Secret value(entry.second.IsNull() ? std::string_view()
                                       : std::string_view(entry.second.Scalar()));
    ESC_RETURN_IF_ERROR(
        Put(entry.first.Scalar(), std::move(value), from.target, from.values_decoding));
  }
  return {};
}

Status TemplateRenderer::Put(const std::string& key, Secret value, TemplateTarget target,
                             DecodingStrategy decoding) {
  auto decoded = Decode(decoding, std::move(value));
  if (!decoded) {
    return std::unexpected(
        Annotate(std::move(decoded).error(), "error applying decoding strategy " +
                                                 std::string(StrategyName(decoding)) + " to key " +
                                                 QuoteKey(key)));
  }
  if (target == TemplateTarget::kData) {
    ESC_RETURN_IF_ERROR(ValidateKey(key));
    target_.data.insert_or_assign(key, *std::move(decoded));
    return {};
  }
  ESC_RETURN_IF_ERROR(CheckMetadataKey(key));
  if (target == TemplateTarget::kLabels) {
    ESC_RETURN_IF_ERROR(ValidateLabelValue(key, decoded->Reveal()));
    target_.labels.insert_or_assign(key, std::string(decoded->Reveal()));
  } else {
    target_.annotations.insert_or_assign(key, std::string(decoded->Reveal()));
  }
  return {};
}

}  // namespace escagent::mirror
