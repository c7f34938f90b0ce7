#include "agent/volume/mirror_content.h"

#include <string_view>
#include <utility>

#include "agent/mirror/secret_keys.h"
#include "agent/mirror/value_text.h"
#include "agent/volume/file_name.h"
#include "agent/volume/item_list.h"
#include "agent/volume/renderer.h"
#include "base/strings.h"
#include "esc/property_path.h"
#include "esc/value.h"

namespace escagent::volume {
namespace {

using mirror::SecretData;
using Data = std::optional<SecretData>;

Status AddKey(std::string key, Secret content, SecretData& data) {
  if (const Status valid = mirror::ValidateKey(key); !valid) {
    return InvalidArgument(valid.error().message + "; use `items` to name it");
  }
  if (data.contains(key)) {
    return InvalidArgument("two values would have the key " + mirror::QuoteKey(key) +
                           "; use `items` to name them");
  }
  data.emplace(std::move(key), std::move(content));
  return {};
}

Status AddValue(const std::string& name, const esc::Value& value, SecretData& data) {
  ESC_ASSIGN_OR_RETURN(Secret text,
                       mirror::RenderValue(value, mirror::Compat(), QuoteForMessage(name)));
  return AddKey(mirror::ConvertKey(mirror::ConversionStrategy::kDefault, name), std::move(text),
                data);
}

Result<Data> KeysOfValue(const cache::Snapshot& snapshot, const VolumeAttributes& attributes) {
  ESC_ASSIGN_OR_RETURN(const esc::PropertyPath path, esc::PropertyPath::Parse(attributes.path));
  const Result<const esc::Value*> found = path.Lookup(snapshot.properties);
  if (!found) {
    if (attributes.optional && found.error().code == Code::kNotFound) return Data();
    return std::unexpected(Annotate(found.error(), "path " + QuoteForMessage(attributes.path)));
  }
  const esc::Value& value = **found;
  SecretData data;
  if (value.IsScalar()) {
    ESC_RETURN_IF_ERROR(AddValue(LastName(attributes.path), value, data));
  }
  for (const auto& [key, member] : value.members()) {
    ESC_RETURN_IF_ERROR(AddValue(key, member, data));
  }
  for (std::size_t i = 0; i < value.elements().size(); ++i) {
    ESC_RETURN_IF_ERROR(AddValue(std::to_string(i), value.elements()[i], data));
  }
  return Data(std::move(data));
}

Result<Data> KeysOfFiles(const std::shared_ptr<const cache::Snapshot>& snapshot,
                         const VolumeAttributes& attributes) {
  ESC_ASSIGN_OR_RETURN(const fuse::VolumeSpec spec, Render(snapshot, attributes));
  if (spec.files.empty()) return Data();
  SecretData data;
  for (const fuse::FileSpec& file : spec.files) {
    std::string key = file.path;
    for (char& c : key) {
      if (c == '/') c = '.';
    }
    ESC_RETURN_IF_ERROR(AddKey(std::move(key), file.content->Clone(), data));
  }
  return Data(std::move(data));
}

std::string_view FormatName(Format format) {
  switch (format) {
    case Format::kFiles:
      return "files";
    case Format::kJson:
      return "json";
    case Format::kYaml:
      return "yaml";
    case Format::kDotenv:
      return "dotenv";
    case Format::kProperties:
      return "properties";
  }
  return "";
}

// Names of ESC and of files have no NUL.
std::string HashOfItems(const std::vector<Item>& items) {
  constexpr std::size_t kDigits = 16;
  std::string text;
  for (const Item& item : items) {
    text += item.path + '\0' + item.file + '\0';
    text += item.encoding == Encoding::kBase64 ? '1' : '0';
  }
  return Sha256Hex(text).substr(0, kDigits);
}

}  // namespace

Result<Data> MirrorContent(const std::shared_ptr<const cache::Snapshot>& snapshot,
                           const VolumeAttributes& attributes) {
  if (attributes.format == Format::kFiles && attributes.items.empty()) {
    return KeysOfValue(*snapshot, attributes);
  }
  return KeysOfFiles(snapshot, attributes);
}

std::string MirrorSource(const VolumeAttributes& attributes, const std::string& service_account) {
  std::string text;
  if (const std::optional<PodEnvironment>& pod = attributes.pod_environment) {
    text = "environment/" + pod->ref.ToString() + " serviceAccount=" + service_account;
    if (!pod->scope.empty()) text += " authScope=" + pod->scope;
  } else {
    text = attributes.store.cluster ? "ClusterSecretStore/" : "SecretStore/";
    text += attributes.store.name;
  }
  if (!attributes.path.empty()) text += " path=" + attributes.path;
  if (attributes.format != Format::kFiles) {
    text += " format=" + std::string(FormatName(attributes.format));
    text += " fileName=" + attributes.file_name;
  }
  if (!attributes.items.empty()) text += " items=" + HashOfItems(attributes.items);
  return text;
}

}  // namespace escagent::volume
