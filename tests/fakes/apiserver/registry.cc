#include "tests/fakes/apiserver/registry.h"

#include <utility>

#include "tests/fakes/apiserver/builtin_resources.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

std::string KeyOf(const std::string& group, const std::string& version, const std::string& plural) {
  return group + "/" + version + "/" + plural;
}

std::vector<std::string> Texts(const json& list) {
  std::vector<std::string> texts;
  for (const json& item : list) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

Result<Resource> ReadNames(const json& crd) {
  const json spec = crd.value("spec", json::object());
  const json names = spec.value("names", json::object());
  Resource resource;
  resource.custom = true;
  resource.group = spec.value("group", "");
  resource.plural = names.value("plural", "");
  resource.kind = names.value("kind", "");
  resource.singular = names.value("singular", "");
  resource.list_kind = names.value("listKind", resource.kind + "List");
  resource.short_names = Texts(names.value("shortNames", json::array()));
  resource.categories = Texts(names.value("categories", json::array()));
  resource.namespaced = spec.value("scope", "Namespaced") == "Namespaced";
  if (resource.group.empty() || resource.plural.empty() || resource.kind.empty()) {
    return InvalidArgument(
        "read CustomResourceDefinition: spec.group, spec.names.plural and "
        "spec.names.kind are required");
  }
  const std::string conversion = spec.value("conversion", json::object()).value("strategy", "None");
  if (conversion != "None") {
    return InvalidArgument("read CustomResourceDefinition " + resource.Table() +
                           ": conversion by webhook is not served here; use strategy None");
  }
  return resource;
}

Result<Resource> ReadVersion(const Resource& names, const json& version) {
  Resource resource = names;
  resource.version = version.value("name", "");
  resource.status_subresource = version.value("subresources", json::object()).contains("status");
  const json schema = version.value("schema", json::object()).value("openAPIV3Schema", json());
  ESC_ASSIGN_OR_RETURN(resource.schema, CompileKindSchema(schema));
  for (const json& field : version.value("selectableFields", json::array())) {
    std::string path = field.value("jsonPath", "");
    if (path.starts_with('.')) path.erase(0, 1);
    resource.selectable_fields.push_back(std::move(path));
  }
  return resource;
}

}  // namespace

Registry::Registry() {
  for (ResourcePtr& resource : BuiltinResources()) {
    const std::string key = KeyOf(resource->group, resource->version, resource->plural);
    resources_[key] = std::move(resource);
  }
}

ResourcePtr Registry::Find(const std::string& group, const std::string& version,
                           const std::string& plural) const {
  const std::string key = KeyOf(group, version, plural);
  MutexLock lock(mutex_);
  const auto found = resources_.find(key);
  return found == resources_.end() ? nullptr : found->second;
}

ResourcePtr Registry::FindKind(const std::string& api_version, const std::string& kind) const {
  MutexLock lock(mutex_);
  for (const auto& [key, resource] : resources_) {
    if (resource->kind == kind && resource->ApiVersion() == api_version) return resource;
  }
  return nullptr;
}

std::vector<ResourcePtr> Registry::All() const {
  std::vector<ResourcePtr> all;
  MutexLock lock(mutex_);
  for (const auto& [key, resource] : resources_) all.push_back(resource);
  return all;
}

Status Registry::AddCrd(const json& crd) {
  ESC_ASSIGN_OR_RETURN(const Resource names, ReadNames(crd));
  const json versions = crd.value("spec", json::object()).value("versions", json::array());
  std::vector<Resource> served;
  std::string storage;
  for (const json& version : versions) {
    if (version.value("storage", false)) storage = version.value("name", "");
    if (!version.value("served", false)) continue;
    ESC_ASSIGN_OR_RETURN(Resource resource, ReadVersion(names, version));
    served.push_back(std::move(resource));
  }
  if (storage.empty()) {
    return InvalidArgument("read CustomResourceDefinition " + names.Table() +
                           ": no version is the storage version");
  }
  RemoveCrd(crd);
  MutexLock lock(mutex_);
  for (Resource& resource : served) {
    resource.storage_version = storage;
    const std::string key = KeyOf(resource.group, resource.version, resource.plural);
    resources_[key] = std::make_shared<const Resource>(std::move(resource));
  }
  return {};
}

void Registry::RemoveCrd(const json& crd) {
  const auto names = ReadNames(crd);
  if (!names) return;
  MutexLock lock(mutex_);
  std::erase_if(resources_, [&](const auto& entry) {
    return entry.second->custom && entry.second->Table() == names->Table();
  });
}

}  // namespace escagent::apiserver
