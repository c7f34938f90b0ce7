#include "agent/volume/renderer.h"

#include <algorithm>
#include <set>
#include <string>

#include "agent/volume/dotenv_format.h"
#include "agent/volume/file_name.h"
#include "agent/volume/item_list.h"
#include "agent/volume/properties_format.h"
#include "agent/volume/value_walk.h"
#include "agent/volume/yaml_format.h"
#include "base/strings.h"
#include "esc/json_writer.h"
#include "esc/property_path.h"

namespace escagent::volume {
namespace {

using esc::Value;

// The text of a scalar, shared with whoever else shows it.
std::shared_ptr<const Secret> ShareText(const std::shared_ptr<const cache::Snapshot>& snapshot,
                                        const Value& value) {
  static const auto kEmpty = std::make_shared<const Secret>();
  static const auto kTrue = std::make_shared<const Secret>(std::string_view("true"));
  static const auto kFalse = std::make_shared<const Secret>(std::string_view("false"));
  switch (value.kind()) {
    case Value::Kind::kString:
    case Value::Kind::kNumber:
      // Aliasing: points at the text, counts as a reference to the whole snapshot.
      return {snapshot, &value.text()};
    case Value::Kind::kBool:
      return value.AsBool() ? kTrue : kFalse;
    case Value::Kind::kNull:
    case Value::Kind::kArray:
    case Value::Kind::kObject:
      break;
  }
  return kEmpty;
}

std::shared_ptr<const Secret> Share(Secret content) {
  return std::make_shared<const Secret>(std::move(content));
}

Secret RenderJson(const Value& value) {
  SecretBuilder out;
  esc::WriteJson(value, {.indent = 2}, out);
  out.Append('\n');
  return out.Finish();
}

// Objects and arrays as folders, scalars as files.
class TreeBuilder {
 public:
  TreeBuilder(const std::shared_ptr<const cache::Snapshot>& snapshot, mode_t mode,
              fuse::VolumeSpec& spec)
      : snapshot_(snapshot), mode_(mode), spec_(spec) {}

  Status Add(const std::string& path, const Value& value) {
    if (value.IsScalar()) {
      spec_.files.push_back({path, mode_, ShareText(snapshot_, value)});
      return {};
    }
    if (value.members().empty() && value.elements().empty() && !path.empty()) {
      spec_.empty_folders.push_back({path});
    }
    for (const auto& [key, member] : value.members()) {
      ESC_RETURN_IF_ERROR(AddNamed(path, key, member));
    }
    for (std::size_t i = 0; i < value.elements().size(); ++i) {
      ESC_RETURN_IF_ERROR(AddNamed(path, std::to_string(i), value.elements()[i]));
    }
    return {};
  }

  Status AddNamed(const std::string& folder, const std::string& name, const Value& value) {
    const std::string path = folder.empty() ? name : folder + "/" + name;
    Status valid = ValidateFileName(name);
    if (valid && path.size() > kMaxPathLength) {
      valid = InvalidArgument("a path has at most " + std::to_string(kMaxPathLength) + " bytes");
    }
    if (!valid) {
      return InvalidArgument("key " + QuoteForMessage(name) +
                             (folder.empty() ? "" : " in " + QuoteForMessage(folder)) +
                             " cannot be shown as a file: " + valid.error().message +
                             "; use `items` to name it, or another `format`");
    }
    return Add(path, value);
  }

 private:
  const std::shared_ptr<const cache::Snapshot>& snapshot_;
  const mode_t mode_;
  fuse::VolumeSpec& spec_;
};

Result<std::shared_ptr<const Secret>> ItemContent(
    const std::shared_ptr<const cache::Snapshot>& snapshot, const Item& item, const Value& value) {
  if (item.encoding == Encoding::kUtf8) {
    if (value.IsScalar()) return ShareText(snapshot, value);
    return Share(RenderJson(value));
  }
  if (!value.IsScalar()) return InvalidArgument("encoding base64 needs a string");
  std::optional<Secret> decoded = DecodeBase64(value.ScalarText());
  if (!decoded) return InvalidArgument("encoding base64: the value is not base64");
  return Share(*std::move(decoded));
}

Result<const Value*> LookUp(const Value& root, const std::string& path) {
  ESC_ASSIGN_OR_RETURN(const esc::PropertyPath parsed, esc::PropertyPath::Parse(path));
  return parsed.Lookup(root);
}

Status AddItems(const std::shared_ptr<const cache::Snapshot>& snapshot,
                const VolumeAttributes& attributes, const Value& root, fuse::VolumeSpec& spec) {
  for (const Item& item : attributes.items) {
    const std::string what = "items: " + QuoteForMessage(item.path);
    const Result<const Value*> value = LookUp(root, item.path);
    if (!value) {
      if (attributes.optional && value.error().code == Code::kNotFound) continue;
      return std::unexpected(Annotate(value.error(), what));
    }
    ESC_RETURN_IF_ERROR(CheckKnown(**value, item.path));
    auto content = ItemContent(snapshot, item, **value);
    if (!content) return std::unexpected(Annotate(std::move(content).error(), what));
    spec.files.push_back({item.file, item.mode.value_or(attributes.mode), *std::move(content)});
  }
  return {};
}

Status AddTree(const std::shared_ptr<const cache::Snapshot>& snapshot,
               const VolumeAttributes& attributes, const Value& value, fuse::VolumeSpec& spec) {
  TreeBuilder tree(snapshot, attributes.mode, spec);
  if (value.IsScalar()) return tree.AddNamed("", LastName(attributes.path), value);
  return tree.Add("", value);
}

Result<Secret> RenderDocument(const VolumeAttributes& attributes, const Value& value) {
  switch (attributes.format) {
    case Format::kJson:
      return RenderJson(value);
    case Format::kYaml:
      return RenderYaml(value);
    case Format::kDotenv:
      return RenderDotenv(Leaves(value, LastName(attributes.path)));
    case Format::kProperties:
      return RenderProperties(Leaves(value, LastName(attributes.path)));
    case Format::kFiles:
      break;
  }
  return Internal("format files is not one document");
}

}  // namespace

fuse::VolumeSpec EmptySpec(const VolumeAttributes& attributes) {
  fuse::VolumeSpec spec;
  spec.uid = attributes.uid;
  spec.gid = attributes.gid;
  spec.folder_mode = attributes.folder_mode;
  return spec;
}

Result<fuse::VolumeSpec> Render(const std::shared_ptr<const cache::Snapshot>& snapshot,
                                const VolumeAttributes& attributes) {
  fuse::VolumeSpec spec = EmptySpec(attributes);
  spec.revision = snapshot->revision;
  const Result<const Value*> found = LookUp(snapshot->properties, attributes.path);
  if (!found) {
    if (attributes.optional && found.error().code == Code::kNotFound) return spec;
    return std::unexpected(Annotate(found.error(), "path " + QuoteForMessage(attributes.path)));
  }
  const Value& value = **found;
  if (!attributes.items.empty()) {
    ESC_RETURN_IF_ERROR(AddItems(snapshot, attributes, value, spec));
    return spec;
  }
  ESC_RETURN_IF_ERROR(CheckKnown(value, attributes.path));
  if (attributes.format == Format::kFiles) {
    ESC_RETURN_IF_ERROR(AddTree(snapshot, attributes, value, spec));
    return spec;
  }
  ESC_ASSIGN_OR_RETURN(Secret document, RenderDocument(attributes, value));
  spec.files.push_back({attributes.file_name, attributes.mode, Share(std::move(document))});
  return spec;
}

}  // namespace escagent::volume
