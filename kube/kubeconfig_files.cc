#include "kube/kubeconfig_files.h"

#include <cstddef>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/json_fields.h"
#include "base/strings.h"
#include "base/yaml.h"

namespace escagent::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

// The document as JSON whose scalars are all strings.
void ToJson(const YAML::Node& node, json& out) {
  if (node.IsScalar()) {
    out = node.Scalar();
  } else if (node.IsSequence()) {
    out = json::array();
    for (const YAML::Node& element : node) ToJson(element, out.emplace_back());
  } else if (node.IsMap()) {
    out = json::object();
    for (const auto& member : node) ToJson(member.second, out[member.first.Scalar()]);
  }
}

// "clusters: [{name: a, cluster: {...}}]"
void JoinPaths(json& document, const char* list, const char* member, const std::string& folder,
               KubeconfigFiles::Entries& entries) {
  const auto it = document.find(list);
  if (it == document.end() || !it->is_array()) return;
  for (json& element : *it) {
    std::string name = StringMember(element, "name");
    if (name.empty() || entries.contains(name)) continue;
    const auto value = element.find(member);
    Object object(value == element.end() ? json::object() : std::move(*value));
    entries.emplace(std::move(name), KubeconfigFiles::Entry{std::move(object), folder});
  }
}

}  // namespace

Result<KubeconfigFiles> KubeconfigFiles::Read(std::string_view paths) {
  KubeconfigFiles files;
  bool found = false;
  const std::vector<std::string_view> parts = Split(paths, ':');
  for (const std::string_view path : parts) {
    if (path.empty()) continue;
    const Status added = files.Add(std::string(path));
    if (!added && added.error().code == Code::kNotFound && parts.size() > 1) continue;
    ESC_RETURN_IF_ERROR(added);
    found = true;
  }
  if (!found) {
    return NotFound("read kubeconfig " + std::string(paths) +
                    ": there is no such file; set KUBECONFIG or --kubeconfig");
  }
  return files;
}

Status KubeconfigFiles::Add(const std::string& path) {
  const std::string what = "kubeconfig " + path;
  ESC_ASSIGN_OR_RETURN(const Secret text, ReadFile(path, kMaxFile));
  ESC_ASSIGN_OR_RETURN(const YAML::Node root, ParseYaml(text.Reveal(), what));
  Object holder;  // wipes keys and tokens
  json& document = holder.json();
  ToJson(root, document);
  // An empty file is one without entries, as after "kubectl config unset".
  if (document.is_null()) return {};
  if (!document.is_object()) {
    return InvalidArgument("read " + what + ": it is not a mapping with clusters and contexts");
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (current_context_.empty()) current_context_ = StringMember(document, "current-context");
  JoinPaths(document, "clusters", "cluster", folder, clusters_);
  JoinPaths(document, "users", "user", folder, users_);
  JoinPaths(document, "contexts", "context", folder, contexts_);
  return {};
}

}  // namespace escagent::kube
