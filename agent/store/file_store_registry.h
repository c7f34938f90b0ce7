#pragma once

#include <memory>
#include <string>

#include "agent/identity/token_cache.h"
#include "agent/store/oidc_tokens.h"
#include "agent/store/secret_store.h"
#include "agent/store/store_files.h"
#include "agent/store/store_registry.h"
#include "agent/store/token_reader.h"
#include "base/mutex.h"
#include "base/result.h"

namespace escagent::store {

// Stores from the YAML files of a folder (`--stores DIR`) instead of the API server.
//
// The files are manifests as External Secrets Operator takes them, but for the token, which is
// referred to by file or by environment variable (TokenReader):
//
//   apiVersion: external-secrets.io/v1
//   kind: ClusterSecretStore
//   metadata: {name: app}
//   spec:
//     conditions: [{namespaces: [podinfo]}]
//     provider:
//       pulumi:
//         organization: acme
//         project: eso-esc-demo
//         environment: esp-esc-app
//         accessToken: {secretRef: {name: "file:/var/run/secrets/esc/token"}}
//
// or, in place of an access token, by a service account's token that something else renews, as
// kubelet does in a projected volume:
//
//         auth: {oidcConfig: {organization: acme, tokenFile: /var/run/secrets/tokens/esc}}
//
// conditions' namespaceSelector can only use the label kubernetes.io/metadata.name, since no other
// label of a namespace is known here. spec.controller is accepted and has no effect.
//
// The folder is looked at again at each call, and what changed is read; tokens are read at each
// call. Once loaded, a file that becomes faulty affects its own stores only: asking for them is
// FAILED_PRECONDITION with what is wrong. Thread-safe; no lock is held while files are read.
class FileStoreRegistry final : public StoreRegistry {
 public:
  struct Options {
    std::string directory;
    // For stores without apiUrl.
    std::string default_api_url = kDefaultApiUrl;
    // As KubeStoreRegistry::Options::identities.
    identity::TokenCache* identities = nullptr;
  };

  // INVALID_ARGUMENT lists everything that is wrong in the folder, a line each. That a token is not
  // there is no fault of the configuration: it may come later.
  static Result<std::unique_ptr<FileStoreRegistry>> Load(Options options);

  Result<ResolvedStore> SecretStore(const std::string& namespace_name,
                                    const std::string& name) override;
  Result<ResolvedStore> ClusterSecretStore(const std::string& namespace_name,
                                           const std::string& name) override;

 private:
  explicit FileStoreRegistry(Options options);

  Result<std::shared_ptr<const StoreFiles>> Refresh() EXCLUDES(mutex_);
  Result<ResolvedStore> Resolve(const StoreId& id, const std::string& for_namespace)
      EXCLUDES(mutex_);
  // What a caller of this namespace could have meant, for the NOT_FOUND message.
  static std::string Suggestions(const StoreFiles& files, const StoreId& id,
                                 const std::string& for_namespace);

  const Options options_;
  const TokenReader tokens_;
  const OidcTokens oidc_;
  Mutex mutex_;
  std::shared_ptr<const StoreFiles> files_ GUARDED_BY(mutex_);
};

}  // namespace escagent::store
