#include "tests/fakes/apiserver/object_loader.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "tests/fakes/apiserver/yaml_to_json.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr const char* kManager = "loader";

int Rank(const json& object) {
  const std::string kind = object.is_object() ? object.value("kind", "") : "";
  return kind == "CustomResourceDefinition" ? 0 : kind == "Namespace" ? 1 : 2;
}

bool IsManifest(const std::filesystem::path& path) {
  const std::string extension = path.extension();
  return (extension == ".yaml" || extension == ".yml" || extension == ".json") &&
         path.stem() != "kustomization";
}

}  // namespace

void SortForApply(std::vector<json>& objects) {
  std::multimap<int, json> ranked;  // in their order among equals
  for (json& object : objects) {
    const int rank = Rank(object);
    ranked.emplace(rank, std::move(object));
  }
  objects.clear();
  for (auto& [rank, object] : ranked) objects.push_back(std::move(object));
}

Result<std::vector<std::string>> ManifestFiles(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  for (auto entry = std::filesystem::directory_iterator(path, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->is_regular_file() && IsManifest(entry->path())) files.push_back(entry->path());
  }
  if (error) return NotFound("read manifests in " + path + ": " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

Status ObjectLoader::Put(json object) {
  if (!object.is_object()) return InvalidArgument("load an object: it is not an object");
  const std::string kind = object.value("kind", "");
  const std::string version = object.value("apiVersion", "");
  json& metadata = object["metadata"];
  if (!metadata.is_object()) metadata = json::object();
  const std::string name = metadata.value("name", "");
  const ResourcePtr resource = backend_.registry.FindKind(version, kind);
  if (resource == nullptr) {
    return NotFound("load " + kind + " \"" + name + "\": there is no kind " + kind + " in " +
                    version + "; is its CustomResourceDefinition loaded?");
  }
  metadata.erase("resourceVersion");
  WriteTarget target{
      .resource = resource,
      .name_space = resource->namespaced ? metadata.value("namespace", "default") : "",
      .name = name,
      .subresource = "",
      .field_manager = kManager};
  Outcome<Written> written = backend_.writer.Create(target, object);
  if (!written && written.error().reason == "AlreadyExists") {
    object.erase("status");
    written = backend_.writer.Patch(target, PatchType::kMerge, object, false);
  }
  if (!written)
    return InvalidArgument("load " + kind + " \"" + name + "\": " + written.error().message);
  return {};
}

Status ObjectLoader::PutAll(std::vector<json> objects) {
  SortForApply(objects);
  for (json& object : objects) ESC_RETURN_IF_ERROR(Put(std::move(object)));
  return {};
}

Status ObjectLoader::Load(std::string_view text, std::string_view what) {
  ESC_ASSIGN_OR_RETURN(std::vector<json> objects, YamlToJson(text, what));
  return PutAll(std::move(objects));
}

Status ObjectLoader::LoadPath(const std::string& path) {
  ESC_ASSIGN_OR_RETURN(const std::vector<std::string> files, ManifestFiles(path));
  std::vector<json> all;
  for (const std::string& file : files) {
    ESC_ASSIGN_OR_RETURN(const Secret text, ReadFile(file));
    ESC_ASSIGN_OR_RETURN(std::vector<json> objects, YamlToJson(text.Reveal(), file));
    std::move(objects.begin(), objects.end(), std::back_inserter(all));
  }
  return PutAll(std::move(all));
}

}  // namespace escagent::apiserver
