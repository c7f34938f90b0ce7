#include "agent/controller/kube_data.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/strings.h"

namespace escagent::controller {
namespace {

Result<mirror::SecretData> DataOf(const kube::Object& object, bool is_secret) {
  mirror::SecretData data;
  const auto it = object.json().find("data");
  if (it == object.json().end() || !it->is_object()) return data;
  for (const auto& [key, value] : it->items()) {
    if (!value.is_string()) continue;
    const auto& text = value.get_ref<const std::string&>();
    std::optional<Secret> bytes = is_secret ? DecodeBase64(text) : Secret(std::string_view(text));
    if (!bytes) return InvalidArgument("key " + key + " of " + object.Name() + " is not base64");
    data.emplace(key, *std::move(bytes));
  }
  return data;
}

}  // namespace

Result<mirror::SecretData> DataOfSecret(const kube::Object& object) { return DataOf(object, true); }

Status ReadTemplateSource(kube::Api& api, const std::string& namespace_name,
                          const mirror::TemplateSourceRef& ref, const kube::CallOptions& call,
                          mirror::TemplateSources& sources) {
  const bool is_secret = ref.kind == mirror::TemplateFrom::Kind::kSecret;
  const Result<kube::Object> object =
      api.Get(is_secret ? kube::Secrets() : kube::ConfigMaps(), {namespace_name, ref.name}, call);
  if (!object) {
    if (object.error().code == Code::kNotFound) return {};
    return std::unexpected(object.error());
  }
  ESC_ASSIGN_OR_RETURN(mirror::SecretData data, DataOf(*object, is_secret));
  sources.emplace(ref, std::move(data));
  return {};
}

}  // namespace escagent::controller
