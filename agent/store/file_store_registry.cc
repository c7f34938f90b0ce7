#include "agent/store/file_store_registry.h"

#include <utility>
#include <vector>

namespace escagent::store {
namespace {

// All that is known here of a namespace's labels.
Labels NamespaceLabels(const std::string& name) { return {{kNamespaceNameLabel, name}}; }

// What is wrong with a good store because it is in a file.
void CheckFileStore(const SecretStoreSpec& store, std::vector<std::string>& problems) {
  const Status token = store.oidc ? Status() : TokenReader::Check(store.token);
  if (!token) problems.push_back(token.error().message);
  if (store.oidc && store.oidc->token_file.empty()) {
    problems.emplace_back(
        "spec.provider.pulumi.auth.oidcConfig: serviceAccountRef is for stores of the API server; "
        "in a file use tokenFile, the path of a service account's token");
  } else if (store.oidc && !store.oidc->token_file.starts_with('/')) {
    problems.emplace_back(
        "spec.provider.pulumi.auth.oidcConfig: tokenFile must be an absolute path");
  }
  for (const StoreCondition& condition : store.conditions) {
    if (!condition.namespace_selector) continue;
    for (const LabelSelector::Requirement& requirement :
         condition.namespace_selector->requirements) {
      if (requirement.key == kNamespaceNameLabel) continue;
      problems.push_back("spec.conditions: namespaceSelector: label \"" + requirement.key +
                         "\": a store in a file can select namespaces only by the label " +
                         kNamespaceNameLabel);
    }
  }
}

}  // namespace

FileStoreRegistry::FileStoreRegistry(Options options)
    : options_(std::move(options)),
      tokens_(options_.directory),
      oidc_(options_.identities, nullptr) {}

Result<std::unique_ptr<FileStoreRegistry>> FileStoreRegistry::Load(Options options) {
  std::unique_ptr<FileStoreRegistry> registry(new FileStoreRegistry(std::move(options)));
  const auto files = registry->Refresh();
  if (!files) return InvalidArgument(files.error().message);
  const std::vector<std::string> problems = (*files)->Problems();
  if (problems.empty()) return registry;
  std::string message = "read the stores in " + registry->options_.directory + ":";
  for (const std::string& problem : problems) message += "\n  " + problem;
  return InvalidArgument(std::move(message));
}

Result<std::shared_ptr<const StoreFiles>> FileStoreRegistry::Refresh() {
  std::shared_ptr<const StoreFiles> files;
  {
    MutexLock lock(mutex_);
    files = files_;
  }
  ESC_ASSIGN_OR_RETURN(files, StoreFiles::Scan(options_.directory, files, CheckFileStore));
  MutexLock lock(mutex_);
  files_ = files;
  return files;
}

Result<ResolvedStore> FileStoreRegistry::SecretStore(const std::string& namespace_name,
                                                     const std::string& name) {
  return Resolve({.kind = StoreKind::kSecretStore, .namespace_name = namespace_name, .name = name},
                 namespace_name);
}

Result<ResolvedStore> FileStoreRegistry::ClusterSecretStore(const std::string& namespace_name,
                                                            const std::string& name) {
  return Resolve({.kind = StoreKind::kClusterSecretStore, .namespace_name = "", .name = name},
                 namespace_name);
}

Result<ResolvedStore> FileStoreRegistry::Resolve(const StoreId& id,
                                                 const std::string& for_namespace) {
  ESC_ASSIGN_OR_RETURN(const std::shared_ptr<const StoreFiles> files, Refresh());
  Result<const SecretStoreSpec*> found = files->Find(id);
  if (!found) {
    Error error = std::move(found).error();
    if (error.code == Code::kNotFound) error.message += Suggestions(*files, id, for_namespace);
    return std::unexpected(std::move(error));
  }
  const SecretStoreSpec& store = **found;
  if (id.kind == StoreKind::kClusterSecretStore &&
      !store.Admits(for_namespace, NamespaceLabels(for_namespace))) {
    return PermissionDenied("using cluster store \"" + id.name +
                            "\" is not allowed from namespace \"" + for_namespace +
                            "\": denied by spec.condition");
  }
  ResolvedStore resolved{
      .name = id.ToString(),
      .api_url = store.api_url.empty() ? options_.default_api_url : store.api_url,
      .ref = store.ref,
      .identity = {}};
  if (store.oidc) {
    ESC_RETURN_IF_ERROR(oidc_.Complete(*store.oidc, resolved));
    return resolved;
  }
  Result<AccessToken> token = tokens_.Read(store.token);
  if (!token) return std::unexpected(Annotate(std::move(token).error(), id.ToString()));
  resolved.token = std::move(token->token);
  resolved.identity = std::move(token->identity);
  return resolved;
}

std::string FileStoreRegistry::Suggestions(const StoreFiles& files, const StoreId& id,
                                           const std::string& for_namespace) {
  const Labels labels = NamespaceLabels(for_namespace);
  std::string names;
  for (const SecretStoreSpec* store : files.All()) {
    const bool usable =
        store->id.kind == id.kind && store->id.namespace_name == id.namespace_name &&
        (id.kind == StoreKind::kSecretStore || store->Admits(for_namespace, labels));
    if (usable) names += (names.empty() ? "" : ", ") + store->id.name;
  }
  const std::string kind =
      id.kind == StoreKind::kSecretStore ? "SecretStores" : "ClusterSecretStores";
  return names.empty() ? "; namespace " + for_namespace + " has no " + kind
                       : "; " + kind + " for namespace " + for_namespace + ": " + names;
}

}  // namespace escagent::store
