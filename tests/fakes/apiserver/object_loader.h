#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tests/fakes/apiserver/backend.h"

namespace escagent::apiserver {

// Puts objects from texts and files into a server, as `kubectl apply` by an administrator would.
// Thread-safe.
class ObjectLoader {
 public:
  explicit ObjectLoader(Backend& backend) : backend_(backend) {}
  ObjectLoader(const ObjectLoader&) = delete;
  ObjectLoader& operator=(const ObjectLoader&) = delete;

  // Creates or replaces one object; its namespace is "default" when it names none. Errors carry the
  // server's message.
  Status Put(nlohmann::json object);
  Status Load(std::string_view text, std::string_view what);
  Status LoadPath(const std::string& path);

 private:
  Status PutAll(std::vector<nlohmann::json> objects);

  Backend& backend_;
};

// The YAML and JSON files of a folder (not below it), sorted, without kustomizations; or the one
// file that `path` names.
Result<std::vector<std::string>> ManifestFiles(const std::string& path);

// CustomResourceDefinitions first, then Namespaces, then the rest in its order.
void SortForApply(std::vector<nlohmann::json>& objects);

}  // namespace escagent::apiserver
