#include "tests/fakes/apiserver/object.h"

#include <utility>

#include "base/json.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

std::string Text(const json& node, const char* key) {
  const auto found = node.find(key);
  return found != node.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string FieldText(const json& document, const std::string& path) {
  const json* node = &document;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    if (!node->is_object()) return "";
    const auto found = node->find(path.substr(begin, end - begin));
    if (found == node->end()) return "";
    node = &*found;
    begin = end + 1;
  }
  return node->is_string() ? node->get<std::string>() : node->is_null() ? "" : DumpJson(*node);
}

// Events have the field "source", which is source.component of the object.
std::string SelectableText(const json& document, const std::string& path) {
  return FieldText(document, path == "source" ? "source.component" : path);
}

}  // namespace

std::shared_ptr<const Object> Object::Make(const Resource& resource, const json& document,
                                           std::uint64_t revision) {
  auto object = std::make_shared<Object>();
  object->revision_ = revision;
  object->Write(document);
  const json& metadata = document.at("metadata");
  object->namespace_ = Text(metadata, "namespace");
  object->name_ = Text(metadata, "name");
  object->uid_ = Text(metadata, "uid");
  if (const auto labels = metadata.find("labels"); labels != metadata.end()) {
    for (const auto& [key, value] : labels->items()) {
      if (value.is_string()) object->labels_[key] = value.get<std::string>();
    }
  }
  if (const auto owners = metadata.find("ownerReferences"); owners != metadata.end()) {
    for (const json& owner : *owners) object->owners_.push_back(Text(owner, "uid"));
  }
  for (const std::string& path : resource.selectable_fields) {
    object->fields_.emplace_back(path, SelectableText(document, path));
  }
  object->deleting_ = !Text(metadata, "deletionTimestamp").empty();
  const auto finalizers = metadata.find("finalizers");
  object->has_finalizers_ = finalizers != metadata.end() && !finalizers->empty();
  return object;
}

void Object::Write(const json& document) {
  text_ = "{\"apiVersion\":" + DumpJson(document.at("apiVersion"));
  behind_version_ = text_.size();
  for (const auto& [key, value] : document.items()) {
    if (key == "apiVersion") continue;
    if (key == "kind") kind_begin_ = text_.size();
    text_ += "," + QuoteJson(key, false) + ":";
    if (key != "metadata") {
      text_ += DumpJson(value);
      if (key == "kind") kind_end_ = text_.size();
      continue;
    }
    metadata_begin_ = text_.size();
    // resourceVersion comes first, so that it is found without a search.
    text_ += "{\"resourceVersion\":\"";
    revision_begin_ = text_.size();
    text_ += std::to_string(revision_);
    revision_size_ = text_.size() - revision_begin_;
    text_ += '"';
    for (const auto& [name, member] : value.items()) {
      if (name == "resourceVersion") continue;
      text_ += "," + QuoteJson(name, false) + ":" + DumpJson(member);
    }
    text_ += '}';
    metadata_end_ = text_.size();
  }
  text_ += '}';
}

std::shared_ptr<const Object> Object::At(std::uint64_t revision) const {
  auto copy = std::make_shared<Object>(*this);
  const std::string digits = std::to_string(revision);
  copy->text_.replace(revision_begin_, revision_size_, digits);
  copy->metadata_end_ += digits.size();
  copy->metadata_end_ -= revision_size_;
  copy->revision_size_ = digits.size();
  copy->revision_ = revision;
  return copy;
}

std::string_view Object::Field(std::string_view path) const {
  if (path == "metadata.name") return name_;
  if (path == "metadata.namespace") return namespace_;
  for (const auto& [name, value] : fields_) {
    if (name == path) return value;
  }
  return {};
}

json Object::Parse() const { return json::parse(text_, nullptr, /*allow_exceptions=*/false); }

void Object::Append(std::string_view api_version, std::string& out) const {
  out += "{\"apiVersion\":\"";
  out += api_version;
  out += '"';
  out += std::string_view(text_).substr(behind_version_);
}

void Object::AppendBare(std::string& out) const {
  const std::string_view text = text_;
  const std::string_view before = text.substr(behind_version_, kind_begin_ - behind_version_);
  const std::string_view after = text.substr(kind_end_);
  out += '{';
  // One comma too many, in front of the first member.
  out += before.empty() ? before : before.substr(1);
  out += before.empty() ? after.substr(1) : after;
}

void Object::AppendPartial(std::string& out) const {
  out += "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":";
  out += std::string_view(text_).substr(metadata_begin_, metadata_end_ - metadata_begin_);
  out += '}';
}

}  // namespace escagent::apiserver
